/** The tables alone, for their unit tests: the exports of the control instance and of the bench. */
export * from './control';
export * from './bench';
export { fipPrivate, fipPublic } from './fip';
export { neighbourClaim, neighbourFind } from './neighbour';
