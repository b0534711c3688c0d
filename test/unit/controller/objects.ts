/** Objects for tests: drafts completed to whole messages by the very codec of the wire. */
import { Config, type CommitRequest, type Object as ConfigObject, type Operation } from '../../../proto/config.ts';
import { definitionOf, type Draft } from '../../../proto/load.ts';

export type DraftObject = Draft<ConfigObject>;
const { requestSerialize, requestDeserialize } = definitionOf(Config)['commit']!;

function operation(draft: Draft<Operation>): Operation {
  return (requestDeserialize(requestSerialize({ operations: [draft] })) as CommitRequest).operations[0]!;
}

export const put = (object: DraftObject): Operation => operation({ put: object });
export const create = (object: DraftObject): Operation => operation({ create: object });
export const update = (object: DraftObject): Operation => operation({ update: object });
export const deletion = (kind: string, name: string, version = 0, uuid = ''): Operation => operation({ delete: { kind, name, version, uuid } });
