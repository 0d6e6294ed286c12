/** What tiles depend on besides the kernels. */

/**
 * Under what the results of a device are kept: another driver, feature or toggle may make another tile
 * the best.
 * @param toggles What else the runtime was told or is, such as its flags or version.
 */
export function adapterKey(device: GPUDevice, toggles: readonly string[]): string {
  const { vendor, architecture, device: name, description } = device.adapterInfo;
  const words = [vendor, architecture, name, description].filter((word) => word).join(' ');
  return [words, [...device.features].sort().join(','), ...toggles].join('; ');
}
