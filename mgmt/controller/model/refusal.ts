/** Why a transaction is refused: every violation names the object, the field, the rule and what would be right. */

export interface Violation {
  /** operations[2].virtual_network.subnets[0].gateway */
  readonly field: string;
  /** Name of the rule, upper case: GATEWAY_OUTSIDE_SUBNET. */
  readonly rule: string;
  /** The object concerned: "virtual-network default-domain:…". */
  readonly object: string;
  /** What is wrong and what would be right. */
  readonly description: string;
}

/**
 * invalid: the request is wrong in itself. in-use, not-found, exists: wrong in this state. conflict: somebody was faster. exhausted: there is no room.
 * forbidden: not for this caller.
 */
export type RefusalKind = 'invalid' | 'in-use' | 'not-found' | 'exists' | 'conflict' | 'exhausted' | 'forbidden';

export class Refusal extends Error {
  readonly kind: RefusalKind;
  readonly violations: readonly Violation[];

  constructor(kind: RefusalKind, violations: readonly Violation[]) {
    super(violations.map(({ field, object, description }) => `${object}${field ? ` (${field})` : ''}: ${description}`).join('; '));
    this.kind = kind;
    this.violations = violations;
  }
}
