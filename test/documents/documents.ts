/** The documents that are written by a program: what each must say, from the code that it describes. */
import { constraintDocument } from './constraint-document.js';
import { defencesDocument } from './defences-document.js';
import { familiesDocument } from './families-document.js';
import { methodsDocument } from './methods-document.js';
import { protocolDocument } from './protocol-document.js';
import { coordinatorDocument, gatewayDocument } from './server-documents.js';
import { servingDocument } from './serving-document.js';

/** By path in the repository, the function that writes the document. A new one is a row here; a test compares each with the file. */
export const documents: Readonly<Record<string, () => string | Promise<string>>> = {
  'docs/client.md': constraintDocument,
  'docs/coordinator.md': coordinatorDocument,
  'docs/families.md': familiesDocument,
  'docs/gateway.md': gatewayDocument,
  'docs/methods.md': methodsDocument,
  'docs/privacy.md': defencesDocument,
  'docs/protocol.md': protocolDocument,
  'docs/serving.md': servingDocument,
};
