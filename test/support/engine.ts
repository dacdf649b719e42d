/** n8n's own engine in this process: what a test needs to run our nodes as a workflow would. */
export { loadOptions, type LoadOptions } from './engine/loadOptions';
export { nodeLog } from './engine/nodeLog';
export { nodePackage, type NodePackage } from './engine/nodePackage';
export { PolledNode } from './engine/polledNode';
export { runNode, type NodeRun, type RunNodeOptions } from './engine/runNode';
export { storedCredentials, type CredentialData, type StoredCredentials } from './engine/storedCredentials';
export { testCredential, type TestCredential } from './engine/testCredential';
