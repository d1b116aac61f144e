/** The package has no types of its own. */
declare module 'email-providers' {
  const hosts: readonly string[];
  // biome-ignore lint/style/noDefaultExport: the package has no other
  export default hosts;
}
