import { listed } from './listed.js';

/** The fields a column can be mapped to: what Zia enriches from, and the CRM record it belongs to. */
export const MAPPED_FIELDS = ['name', 'email', 'website', 'recordId'] as const;
export type MappedField = (typeof MAPPED_FIELDS)[number];

/**
 * Headers of each field, most specific first, as `plainHeader` writes them: those of exports from Zoho, HubSpot, Salesforce,
 * Pipedrive, Dynamics, Apollo, LinkedIn tools, Clay, Crunchbase and SAP, and those of German, French, Spanish, Portuguese,
 * Italian and Dutch. Of several columns the one with the first alias is taken, unless the values speak against it.
 */
export const ALIASES: Readonly<Record<MappedField, readonly string[]>> = {
  name: listed(`
    accountname, companyname, organizationname, organisationname, businessname, firmname, legalname, companylegalname,
    legalcompanyname, customername, customerfullname, clientname, nameofcompany, associatedcompany, primaryassociatedcompany, companyaccount,
    currentcompany, currentcompanyname, personorganization, dealorganization, organization1name, vendorname, suppliername, yourcompanyname,
    billingcompany, billingcompanyname, defaultaddresscompany, customercompany, customercompanyname,
    whatisyourcompanysname, whatisyourcompanyname,
    firmenname, firmenbezeichnung, unternehmensname, kundenname, nomsociete, nomdelasociete, nomdelentreprise, nomentreprise,
    raisonsociale, nomclient, nombreempresa, nombredelaempresa, nombredelacompania, razonsocial, nombrecliente,
    nomedaempresa, nomeempresa, razaosocial, nomefantasia, nomeazienda, ragionesociale, denominazione, bedrijfsnaam,
    naambedrijf, klantnaam, firmanaam,
    company, organization, organisation, account, business, firm, employer,
    firma, unternehmen, gesellschaft, societe, entreprise, empresa, compania, organizacion, organizacao, companhia, azienda,
    societa, ditta, impresa, bedrijf, onderneming, organisatie,
    vendor, supplier, lieferant, fournisseur, proveedor, fornecedor, fornitore, leverancier,
    customer, client, kunde, cliente, klant, compte, cuenta, conta, name1, name, nom, nombre, nome, naam
  `),
  email: listed(`
    companyemail, companyemailaddress, vendoremail, supplieremail, accountemail, organizationemail, businessemail, workemail, personemailwork,
    primaryemail, primarycontactemail, contactemailaddress, emailaddress, emailaddress1, email, email1, email1value, emailid, contactemail,
    personemail, billingemail, billingemailaddress, customeremail, customeremailaddress,
    emailadresse, emailadres, adresseemail, indirizzoemail, correoelectronico, correioeletronico, courriel,
    postaelettronica, adresseelectronique, mailadresse, mailadres, adressemail, correo, mail
  `),
  website: listed(`
    companywebsite, accountwebsite, organizationwebsite, websiteurl, websiteaddress, companyurl, companydomainname,
    companydomain, websitedomain, primarydomain, companywebsiteurl, primarywebsite, website1, website1value, vendorwebsite, supplierwebsite, website, webpage, webaddress, homepage, homepageurl,
    webseite, internetseite, webadresse, internetadresse, siteweb, siteinternet, sitioweb, paginaweb, sitodellazienda, sitoweb,
    sitointernet, webadres, websiteadres, internetadres, sitedaempresa, urlsite,
    domainname, domain, url, web, internet, site, sito
  `),
  recordId: listed('recordid, zohorecordid, crmrecordid, zohocrmrecordid, accountrecordid'),
};

/** Names of columns that hold the name of anything. */
export const GENERIC_NAMES: readonly string[] = listed('name, nom, nombre, nome, naam, name1');
/** SAP's `Name 1` is always an organisation's. */
const ANY_NAMES = new Set(GENERIC_NAMES.filter((name) => name !== 'name1'));
/** The parts of a person's name: beside one of them a column of anything's name, such as `Nom`, is a person's, too. */
const PERSON_NAMES: readonly string[] = listed(`
  firstname, givenname, forename, lastname, surname, familyname, vorname, nachname, familienname, prenom, nomdefamille,
  apellido, apellidos, primerapellido, cognome, sobrenome, apelido, voornaam, achternaam
`);

/** Whether a header names no company where these headers are beside it. */
export function isPersonsName(header: string, headers: readonly string[]): boolean {
  return ANY_NAMES.has(plainHeader(header)) && headers.some((other) => PERSON_NAMES.includes(plainHeader(other)));
}

/** Names of columns that may hold whose customer a row is, or whether it is one. */
export const CUSTOMER_NAMES: readonly string[] = listed(
  'customer, client, account, kunde, cliente, klant, compte, cuenta, conta',
);

/** A header with case, accents, width, spaces and punctuation ignored. */
export function plainHeader(header: string): string {
  return header
    .normalize('NFKD')
    .toLowerCase()
    .replace(/[^\p{L}\p{N}]/gu, '');
}

const RANKS = new Map(MAPPED_FIELDS.map((field) => [field, new Map(ALIASES[field].map((alias, at) => [alias, at]))]));

/** What a header says beside the field itself: a note in brackets, and whose field it is, as in `Account: Website`. */
const BESIDE = /\([^)]*\)|^\W*(?:account|company|organi[sz]ation|properties|attributes)\s*[:.]/gi;

/** The place of a header among a field's aliases; what it says beside the field may be left out. -1 when it is none. */
export function aliasRank(field: MappedField, header: string): number {
  const ranks = RANKS.get(field);
  return ranks?.get(plainHeader(header)) ?? ranks?.get(plainHeader(header.replace(BESIDE, ''))) ?? -1;
}

/** For how many fields a line names a column: how much it looks like a header. */
export function knownHeaders(cells: readonly string[]): number {
  return MAPPED_FIELDS.filter((field) => cells.some((cell) => cell.length < 80 && aliasRank(field, cell) !== -1))
    .length;
}
