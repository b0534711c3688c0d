/** What a container runtime is told when something is refused: CNI 1.1, section 2, "Error". */

export const CODE = {
  incompatibleVersion: 1,
  unsupportedField: 2,
  unknownContainer: 3,
  invalidEnvironment: 4,
  io: 5,
  decode: 6,
  invalidConfiguration: 7,
  tryAgain: 11,
  unavailable: 50,
  /** Existing containers may have limited connectivity as well. */
  limited: 51,
  /** Of our own: CHECK found something other than ADD made. */
  changed: 100,
  internal: 999,
} as const;

export class CniError extends Error {
  readonly code: number;
  /** Where, what is there, and what would be right. */
  readonly details: string;

  constructor(code: number, message: string, details = '') {
    super(message);
    this.name = 'CniError';
    this.code = code;
    this.details = details;
  }
}

/** As it goes to the runtime. @param version of the configuration, '' where it is not known */
export function errorAnswer(error: unknown, version: string): object {
  const { code, message, details } = error instanceof CniError ? error : new CniError(CODE.internal, 'the appliance\'s agent failed', error instanceof Error ? error.message : String(error));
  return { ...(version !== '' && { cniVersion: version }), code, msg: message, ...(details !== '' && { details }) };
}
