/** Whether an appliance may come with the certificate that it has. */
import { applianceName, type Stored } from '../model/kinds.ts';

/**
 * Why not; undefined: it may.
 *
 * @param fingerprint of its certificate, SHA-256 as Node and OpenSSL write it.
 */
export function notEnrolled({ name, spec: { enrolment } }: Stored<'virtual-router'>, fingerprint: string): string | undefined {
  if (enrolment?.blocked) return `${applianceName(name)} is blocked by its virtual-router's enrolment; set blocked to false to let it come`;
  const { certificates = [] } = enrolment ?? {};
  if (certificates.length === 0 || certificates.some((each) => each.toUpperCase() === fingerprint.toUpperCase())) return undefined;
  return `the certificate ${fingerprint} is none of those that ${applianceName(name)} is enrolled with; add it to its virtual-router's enrolment, or let it come with another`;
}
