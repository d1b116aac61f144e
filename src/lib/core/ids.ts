/** Hash of a row's normalised content (`r1…`); also the BullMQ job id. Made by `identityKey`. */
export type IdentityKey = string & { readonly __brand: 'IdentityKey' };

/** Zoho's id of a scheduled enrichment: up to 19 digits, beyond 2^53, so always a string. */
export type EnrichmentId = string & { readonly __brand: 'EnrichmentId' };
