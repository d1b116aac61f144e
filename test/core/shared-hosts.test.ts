import { describe, expect, test } from '@jest/globals';
import {
  isSharedEmail,
  isSharedWebsite,
  MAIL_NAMES,
  MORE_MAIL_HOSTS,
  SHARED_HOSTS,
  SHARED_NAMES,
} from '../../src/lib/core/shared-hosts.js';

describe('hosts of others', () => {
  test.each(SHARED_HOSTS)('%s', (entry) => {
    const host = entry.replace('=', '');
    for (const website of [host, `https://www.${host}/acme`, `HTTP://${host.toUpperCase()}.`])
      expect([website, isSharedWebsite(website, 'Fernhill')]).toEqual([website, true]);
    expect(isSharedWebsite(`acme.${host}`, 'Fernhill')).toBe(!entry.startsWith('='));
  });

  test.each(SHARED_NAMES)('%s in every country', (name) => {
    for (const suffix of ['com', 'de', 'co.uk'])
      expect(isSharedWebsite(`www.${name}.${suffix}/x`, 'Fernhill')).toBe(true);
    expect(isSharedWebsite(`${name}.fernhill.example`, 'Fernhill')).toBe(false);
  });

  test.each([
    ...MORE_MAIL_HOSTS,
    ...MAIL_NAMES.map((name) => `${name}.co.uk`),
    'gmail.com',
    'gmx.de',
    'qq.com',
    'icloud.com',
  ])('%s gives mail to everybody', (host) => {
    expect(isSharedEmail(`ann@${host}`, 'Fernhill')).toBe(true);
    expect(isSharedWebsite(host, 'Fernhill')).toBe(true);
  });

  test.each([
    ['yelp.com', 'Yelp'],
    ['yelp.com', 'Yelp Inc.'],
    ['orange.fr', 'Orange S.A.'],
    ['www.linkedin.com', 'LinkedIn Ireland'],
    ['cloud.google.com', 'Google Cloud'],
    ['https://web.de', 'WEB.DE GmbH'],
  ])('%s stays with %s, whose name it bears', (website, name) => {
    expect(isSharedWebsite(website, name)).toBe(false);
  });

  test('an address stays with the company whose whole name its host bears', () => {
    expect(isSharedEmail('press@orange.fr', 'Orange')).toBe(false);
    expect(isSharedEmail('press@orange.fr', 'Orange SA')).toBe(false);
    expect(isSharedEmail('bob@orange.fr', 'Orange County Plumbing')).toBe(true);
  });

  test.each([
    ...[
      'acme.wixsite.com',
      'acme.wordpress.com',
      'acme.blogspot.com',
      'acme.github.io',
      'acme.myshopify.com',
      'acme.medium.com',
    ],
    ...[
      'monsite.free.fr',
      'fernhill.business.site',
      'xerox.com',
      'netflix.com',
      'notlinkedin.com',
      'linkedin.com.example',
    ],
    ...[
      'google-partner.example',
      'bitly.example',
      'microsoft.com',
      'apple.com',
      'amazon.com',
      'sap.com',
      'vodafone.de',
    ],
  ])('%s is the company’s own', (website) => {
    expect(isSharedWebsite(website, 'Fernhill')).toBe(false);
  });

  test.each(['info@fernhill.example', 'ann@microsoft.com', 'x@mygmail.example', 'ann@vodafone.de'])(
    '%s tells a company',
    (email) => {
      expect(isSharedEmail(email, 'Fernhill')).toBe(false);
    },
  );
});
