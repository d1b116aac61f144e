/** What the overview shows that does not change. */
export interface OverviewFrame {
  /** Engine and store, without credentials. */
  readonly where: string;
  readonly queueName: string;
  /** Nothing can be changed from the pages. */
  readonly readOnly: boolean;
  /** The configured limits. */
  readonly ratePerSecond: number;
  readonly maxInFlight: number;
}
