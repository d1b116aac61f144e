import type { SandboxEnrichment, SandboxEvent, SentValues } from './effects.js';
import type { SandboxOptions } from './options.js';

/** A local stand-in for Zoho's OAuth and enrichment endpoints: accounts server and API server in one. */
export interface Sandbox {
  readonly url: string;
  readonly port: number;
  readonly options: SandboxOptions;
  /** Changes options while it runs. */
  configure(patch: Partial<SandboxOptions>): void;
  /** Everything it saw, in order of arrival. */
  log(): readonly SandboxEvent[];
  /** An enrichment that a person, or another program, made; `createdBy` is Zoho's id of the user. */
  enrich(sent: SentValues, createdBy?: string): SandboxEnrichment;
  /** Everything it accepted, in order. */
  enrichments(): readonly SandboxEnrichment[];
  /** Forgets log, enrichments and tokens; keeps the options. */
  reset(): void;
  /** Destroys open connections. Safe to call twice. */
  close(): Promise<void>;
}
