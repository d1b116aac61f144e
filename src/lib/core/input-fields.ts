/** The three fields Zia can enrich from, in the order Zoho documents them. */
export const INPUT_FIELDS = ['name', 'email', 'website'] as const;
export type InputField = (typeof INPUT_FIELDS)[number];
