import allMailHosts from 'email-providers';
import { getDomainWithoutSuffix } from 'tldts';
import { keyName } from './key-form.js';
import { listed } from './listed.js';
import { PLACEHOLDER_HOSTS } from './placeholders.js';
import { hostOf } from './web-address.js';

/**
 * Hosts on which others have their pages: social networks, link shorteners, maps, directories. An entry stands for its
 * subdomains, too, unless it begins with `=`: where customers get a subdomain of their own, that one is theirs.
 */
export const SHARED_HOSTS: readonly string[] = [
  // Social networks and messengers
  ...listed(`
    linkedin.com, lnkd.in, facebook.com, fb.com, fb.me, fb.watch, m.me, messenger.com, instagram.com, instagr.am,
    twitter.com, x.com, t.co, youtube.com, youtu.be, tiktok.com, pinterest.com, pin.it, snapchat.com, reddit.com,
    threads.net, threads.com, vimeo.com, vk.com, ok.ru, weibo.com, weixin.qq.com, xing.com, whatsapp.com, wa.me,
    telegram.org, telegram.me, t.me, discord.com, discord.gg, twitch.tv, quora.com, bsky.app, mastodon.social,
    nextdoor.com, meetup.com, soundcloud.com, open.spotify.com, =tumblr.com, =medium.com, =github.com, =gitlab.com,
    =behance.net, =dribbble.com, =flickr.com, =substack.com, =patreon.com
  `),
  // Link shorteners and pages of links
  ...listed(`
    bit.ly, bitly.com, goo.gl, tinyurl.com, ow.ly, buff.ly, is.gd, rb.gy, cutt.ly, rebrand.ly, tiny.cc, t.ly,
    shorturl.at, linktr.ee, lnk.bio, bio.link, linkin.bio, beacons.ai, campsite.bio, taplink.cc, about.me
  `),
  // Shops on markets
  ...listed('apps.apple.com, etsy.com'),
  // Maps and profiles at search engines
  ...listed(`
    g.page, g.co, maps.apple.com, bing.com, mapquest.com, waze.com, =openstreetmap.org
  `),
  // Directories
  ...listed(`
    crunchbase.com, wikipedia.org, yellowpages.com, gelbeseiten.de, pagesjaunes.fr, paginasamarillas.es,
    paginegialle.it, zoominfo.com, foursquare.com, northdata.com, northdata.de, opencorporates.com, kompass.com,
    europages.com, bbb.org, manta.com, kununu.com, wellfound.com, angel.co, g2.com, capterra.com
  `),
];

/** The same for names that have a host in many countries: google.de, yelp.co.uk. */
export const SHARED_NAMES: readonly string[] = [
  'google',
  'yelp',
  'yahoo',
  'tripadvisor',
  'glassdoor',
  'ebay',
  'indeed',
  'trustpilot',
  'pinterest',
];

/** Mail providers that the list lacks, and names of providers with a host in many countries. */
export const MORE_MAIL_HOSTS: readonly string[] = [
  ...listed(`
    fastmail.com, tutanota.com, tutanota.de, tuta.io, tuta.com, posteo.de, posteo.net, ziggo.nl, kpnmail.nl,
    duck.com, onet.pl, wp.pl, interia.pl, bk.ru, inbox.ru, list.ru, hotmail.nl, live.nl, outlook.de, outlook.fr,
    outlook.es
  `),
];
export const MAIL_NAMES: readonly string[] = ['hotmail', 'yahoo', 'gmx'];

const [everywhere, exactly] = [new Set<string>(), new Set<string>()];
for (const entry of SHARED_HOSTS) (entry.startsWith('=') ? exactly : everywhere).add(entry.replace('=', ''));
const names = asLabels(SHARED_NAMES);
const mailNames = asLabels(MAIL_NAMES);

/**
 * Whether a web address is a page on a host of others: a social network, a link shortener, a map, a directory or a mail
 * provider. A host that bears the row's own name is the row's: orange.fr of Orange.
 */
export function isSharedWebsite(website: string, name: string | undefined): boolean {
  const host = hostOf(website);
  const isShared = exactly.has(host) || isUnder(host) || bearsOneOf(names, host) || isMailHost(host);
  return isShared && !isOwnHost(host, name, true);
}

/** Whether an address is at a free-mail provider, and tells nothing about the company. */
export function isSharedEmail(email: string, name: string | undefined): boolean {
  const host = email.slice(email.lastIndexOf('@') + 1).toLowerCase();
  return isMailHost(host) && !isOwnHost(host, name, false);
}

/** Read once, and only when there is something to look up. */
let mailHosts: ReadonlySet<string> | undefined;

function isMailHost(host: string): boolean {
  // The list has example.com, too, which is a placeholder.
  mailHosts ??= new Set([...allMailHosts, ...MORE_MAIL_HOSTS].filter((one) => !PLACEHOLDER_HOSTS.includes(one)));
  return mailHosts.has(host) || bearsOneOf(mailNames, host);
}

/** Whether the host, or one above it, is shared: `a.b.c`, `b.c` of `a.b.c`. */
function isUnder(host: string): boolean {
  for (let at = 0; ; ) {
    if (everywhere.has(host.slice(at))) return true;
    const dot = host.indexOf('.', at);
    if (dot === -1) return false;
    at = dot + 1;
  }
}

/** Whether the name of the host under its public suffix is one of these. */
function bearsOneOf({ among, wanted }: Labels, host: string): boolean {
  return among.test(host) && wanted.has(getDomainWithoutSuffix(host) ?? '');
}

interface Labels {
  readonly wanted: ReadonlySet<string>;
  /** Finds one of them among the labels of a host. */
  readonly among: RegExp;
}

function asLabels(wanted: readonly string[]): Labels {
  return { wanted: new Set(wanted), among: new RegExp(`(?:^|\\.)(?:${wanted.join('|')})(?:\\.|$)`) };
}

/** A page of `Google Cloud` may be on google.com; an address of `Orange County Plumbing` at orange.fr says nothing. */
function isOwnHost(host: string, name: string | undefined, firstWordIsEnough: boolean): boolean {
  if (name === undefined) return false;
  const label = letters(getDomainWithoutSuffix(host) ?? host);
  const words = keyName(name)
    .split(/[\s,]+/)
    .map(letters)
    .filter(Boolean);
  while (words.length > 1 && LEGAL_FORMS.has(words.at(-1) ?? '')) words.pop();
  const whole = words.join('');
  return whole === label || whole === letters(host) || (firstWordIsEnough && words[0] === label);
}

const LEGAL_FORMS = new Set(
  'inc incorporated corp corporation co company ltd limited llc llp plc gmbh ag se kg sa sas sarl srl spa bv nv ab as oy aps kk group holding holdings'.split(
    ' ',
  ),
);

function letters(text: string): string {
  return text.normalize('NFKD').replace(/[^\p{L}\p{N}]/gu, '');
}
