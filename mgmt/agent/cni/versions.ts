/** Versions of the CNI specification that we speak, ascending. */
export const VERSIONS = ['0.3.0', '0.3.1', '0.4.0', '1.0.0', '1.1.0'] as const;
export type Version = (typeof VERSIONS)[number];
export const NEWEST: Version = '1.1.0';

export const isVersion = (text: string): text is Version => (VERSIONS as readonly string[]).includes(text);

/** Whether `version` is `other` or a later one. */
export const isAtLeast = (version: Version, other: Version): boolean => VERSIONS.indexOf(version) >= VERSIONS.indexOf(other);

/** The answer to VERSION. @param asked the version that the caller speaks */
export const versionAnswer = (asked: string): object => ({ cniVersion: asked, supportedVersions: VERSIONS });
