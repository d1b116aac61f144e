import { listed } from './listed.js';
import { hostOf } from './web-address.js';

/**
 * What people and programs write where a company's name, email or website is not known. Whole values only, in lower case
 * and without the punctuation around them: `Null & Sons` and `Test Valley Motors` are names.
 */
export const PLACEHOLDER_VALUES: readonly string[] = [
  // English
  ...listed(`
    n/a, na, n a, #n/a, #na, nan, null, nil, none, none none, no, not applicable, not available, not provided,
    not specified, not known, not set, not given, not found, not assigned, unspecified, unknown, unknown company,
    unknown account, undefined, unassigned, undisclosed, confidential, anonymous, tbd, tba, tbc, to be determined,
    to be announced, to be confirmed, to be defined, todo, pending, blank, empty, missing, nothing, no data,
    no value, no info, no information, no name, noname, no company, no company name, no account, no website,
    no web site, no site, no url, no email, no mail, does not exist, does not have one, same, same as above,
    as above, see above, ditto, see notes, coming soon, under construction, loading, error, deleted, duplicate,
    do not use, do not contact
  `),
  // Tests and keyboards
  ...listed(`
    test, tests, test test, testing, tester, test company, test account, test client, test customer, test name,
    test lead, test record, test user, company test, demo, demo company, demo account, sample, sample company,
    sample account, example, example company, dummy, dummy company, dummy account, fake, fake company, asd, asdf,
    asdfasdf, asdfg, asdfgh, asdfghjkl, qwe, qwer, qwert, qwerty, qwertz, sdf, sdfsdf, dfg, fgh, abcd, abc abc, foo,
    bar, foo bar, foobar, baz, lorem ipsum, bla, blabla, xxx, xxxx, xxxxx, xxxxxx, yyy, zzz, aaa aaa, x x x, string,
    text, value
  `),
  // The header, or what a form asked for
  ...listed(`
    company, company name, your company, your company name, my company, name, your name, account name, organization,
    organization name, organisation, website, your website, email, your email
  `),
  // The line below the header that says how to fill in a form, and how letters begin
  ...listed(`
    required, optional, mandatory, dear sir or madam, dear sirs, to whom it may concern
  `),
  // Whom tills and shops sell to, and a legal form with its name lost
  ...listed(`
    cash sale, cash sales, cash customer, walk in, walk ins, walk in customer, counter sale, counter sales, guest,
    guest customer, one time customer, misc customer, miscellaneous customer, general customer, generic customer,
    retail customer, household, laufkundschaft, barverkauf, diverse, client de passage, cliente mostrador,
    cliente generico, consumidor final, gmbh, ltd, llc, llp, inc, plc, pvt ltd, the company
  `),
  // Persons without a company
  ...listed(`
    self, self employed, selfemployed, self employee, freelance, freelancer, freelancing, independent,
    independent consultant, independent contractor, sole trader, sole proprietor, retired, student, unemployed,
    not employed, not working, none at the moment, between jobs, looking for work, seeking employment,
    seeking new opportunities, open to work, homemaker, housewife, private, private person, private individual,
    individual, personal, various, other, others, misc, miscellaneous
  `),
  // Spreadsheets, in the languages they speak
  ...listed(`
    #ref, #name, #value, #div/0, #num, #null, #spill, #calc, #getting data, #field, #blocked, #busy, #error, #nv,
    #bezug, #wert, #zahl, #nom, #valeur, #nombre, #valor, #nome, #rif, #valore, #nb, #n/d, #verw, #waarde, #naam,
    #getal, true, false, wahr, falsch, vrai, faux, ########
  `),
  // Footers of reports
  ...listed(`
    total, totals, grand total, grand totals, subtotal, sub total, sum, count, gesamt, gesamtergebnis, summe,
    total general, total geral, totale, totaal, eindtotaal, average, averages, mittelwert, durchschnitt, moyenne,
    promedio, gemiddelde, zwischensumme, sous total, end of report, confidential information, row labels,
    column labels, zeilenbeschriftungen, étiquettes de lignes, etiquetas de fila, etichette di riga, rijlabels
  `),
  // German, French, Spanish, Portuguese, Italian, Dutch
  ...listed(`
    k a, k/a, keine, keiner, kein, keine angabe, keine angaben, keine firma, keine website, unbekannt,
    nicht bekannt, nicht vorhanden, nicht verfügbar, leer, privatperson, privat, selbständig, selbstständig,
    freiberuflich, freiberufler, rentner, arbeitslos, siehe oben, n d, n/d, nd, aucun, aucune, aucune société,
    inconnu, inconnue, non renseigné, non renseignée, non communiqué, non disponible, néant, vide, particulier,
    indépendant, retraité, étudiant, sans société, ninguno, ninguna, desconocido, desconocida, no disponible,
    no aplica, sin nombre, sin empresa, sin datos, sin especificar, autónomo, jubilado, desempleado, vacío,
    particular, nenhum, nenhuma, desconhecido, desconhecida, não disponível, não informado, não se aplica, sem nome,
    sem empresa, vazio, autônomo, aposentado, desempregado, nao informado, nao disponivel, nessuno, nessuna,
    sconosciuto, sconosciuta, non disponibile, non specificato, vuoto, privato, pensionato, disoccupato,
    libero professionista, geen, geen bedrijf, onbekend, niet beschikbaar, niet bekend, nvt, n v t, leeg, zzp,
    zzper
  `),
];

/** Hosts that stand for no company; the first three are reserved for examples. */
export const PLACEHOLDER_HOSTS: readonly string[] = [
  ...listed(`
    example.com, example.org, example.net, test.com, testing.com, domain.com, yourdomain.com, mydomain.com,
    yoursite.com, mysite.com, website.com, yourwebsite.com, mywebsite.com, site.com, url.com, company.com,
    yourcompany.com, mycompany.com, companyname.com, yourcompanyname.com, none.com, noone.com, no.com, na.com,
    null.com, nil.com, unknown.com, tbd.com, nowebsite.com, nosite.com, nodomain.com, noemail.com, nomail.com,
    fake.com, dummy.com, sample.com, asdf.com, xxx.com, abcd.com, foo.com, bar.com, foobar.com, email.invalid
  `),
];

const VALUES = new Set(PLACEHOLDER_VALUES);
const HOSTS = new Set(PLACEHOLDER_HOSTS);
/** `test 3`, `Test12`, `Count: 2`, `Grand Totals (2 records)`, `Test Company 4`. */
const NUMBERED =
  /^(test|tests|test (company|account)|dummy|count|sum|totals?|grand totals?|records?) ?\d+( records?| rows?)?$/;
/** What reports write below their rows, in the same form; nothing of it begins a company's name. */
const FOOTER = new RegExp(
  [
    String.raw`(page|seite|página|pagina|blad) \d+( (of|von|sur|de|di|van) \d+)?$`,
    String.raw`(report |list |file )?(generated|created|printed|exported) (on|at|by) .*\d`,
    '(sum|count|average) of (account|company|customer|name|id|record|revenue|amount|sales|value|total|employees)',
    '(sub ?totals?|zwischensumme|sous total)( |$)',
    String.raw`(number of|total) (records|rows|accounts|companies) \d+$`,
    '(filtered by|gefiltert nach|filtré par|anzahl datensätze) ',
    String.raw`(as of|stand) \d+[ /]\d+[ /]\d+$`,
    String.raw`copyright (c )?\d{4} `,
  ]
    .map((pattern) => `^${pattern}`)
    .join('|'),
);
/** Words that are no part of a real address where they are all of it. */
const WORDS = new Set([
  ...listed(`
    n/a, na, n.a, no, none, non, null, nil, nan, unknown, undefined, tbd, test, testing, tester, example, sample,
    dummy, fake, demo, domain, yourdomain, mydomain, email, mail, e-mail, noemail, nomail, no-email, no-mail,
    noemailaddress, nowebsite, website, site, company, yourcompany, mycompany, companyname, name, user, username,
    your, me, you, xxx, xx, yyy, zzz, asd, asdf, asdfasdf, qwe, qwerty, abc, abcd, foo, bar, foobar, aaa, aa, keine,
    unbekannt, aucun, ninguno, nenhum, nessuno, geen, onbekend, inconnu, invalid, blank, empty, nothing, noone,
    nobody, sin, leer
  `),
]);

/** Whether a whole value stands for nothing, however it is spelled: `N/A`, `(blank)`, `- none -`, `N.A.`, `#REF!`. */
export function isPlaceholderValue(value: string): boolean {
  if (value.length > MAX_FOOTER_LENGTH || beginsLikeNone(value)) return false;
  const plain = value
    .normalize('NFKC')
    .toLowerCase()
    .replace(/[^\p{L}\p{M}\p{N}#&/]+/gu, ' ')
    .trim();
  return VALUES.has(plain) || NUMBERED.test(plain) || FOOTER.test(plain);
}

const MAX_FOOTER_LENGTH = 200;

const FIRST_WORD = /[a-z#&/]+/i;
const firstWordOf = (text: string) => FIRST_WORD.exec(text)?.[0].toLowerCase() ?? '';
const FIRST_WORDS = new Set([
  ...PLACEHOLDER_VALUES.map(firstWordOf),
  ...listed('test, tests, dummy, count, sum, total, totals, grand, record, records, page, seite, pagina, blad'),
  ...listed('report, list, file, generated, created, printed, exported, subtotal, subtotals, sub, zwischensumme, sous'),
  ...listed('number, filtered, gefiltert, anzahl, as, stand, copyright'),
]);
const PLAIN_ASCII = /^[ -~]*$/;

/** Whether its first word tells that a value is no placeholder, as that of nearly every name does. */
function beginsLikeNone(value: string): boolean {
  return PLAIN_ASCII.test(value) && !FIRST_WORDS.has(firstWordOf(value));
}

/** Whether a web address names no company: `test.com`, `none.none`. */
export function isPlaceholderWebsite(website: string): boolean {
  return isPlaceholderHost(hostOf(website));
}

/**
 * Whether an address is nobody's: one at `test.com`, or one whose two parts are both placeholder words or single letters,
 * such as `a@a.com` and `n/a@n/a.com`. Never only because the parts are equal: `rossi@rossi.it` is somebody's.
 */
export function isPlaceholderEmail(email: string): boolean {
  const at = email.lastIndexOf('@');
  if (at === -1) return false;
  const local = email.slice(0, at).toLowerCase();
  const host = email
    .slice(at + 1)
    .toLowerCase()
    .replace(/\.$/, '');
  if (isPlaceholderHost(host)) return true;
  const dot = host.indexOf('.', 1);
  return isWord(local) && isWord(dot === -1 ? host : host.slice(0, dot));
}

function isPlaceholderHost(host: string): boolean {
  if (HOSTS.has(host)) return true;
  const dot = host.indexOf('.');
  return dot !== -1 && WORDS.has(host.slice(0, dot)) && host.split('.').every((label) => WORDS.has(label));
}

function isWord(text: string): boolean {
  return WORDS.has(text) || (text.length <= 2 && /^\p{L}$/u.test(text));
}
