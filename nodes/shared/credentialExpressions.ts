import type {
	ICredentialDataDecryptedObject,
	ICredentialsHelper,
	IExecuteData,
	IExecuteFunctions,
	ILoadOptionsFunctions,
	IPollFunctions,
	IWorkflowExecuteAdditionalData,
	WorkflowExecuteMode,
} from 'n8n-workflow';
import { openApiProperties } from './description/credentialProperties';

/** Properties of n8n's contexts that are not part of its public types. */
interface Internals {
	additionalData?: IWorkflowExecuteAdditionalData & { credentialsHelper?: Partial<ICredentialsHelper> };
	mode: WorkflowExecuteMode;
	executeData?: IExecuteData;
}

/** Removes the fields of documents that the credential does not use. */
export function inEffect(credential: ICredentialDataDecryptedObject): ICredentialDataDecryptedObject {
	const { openApiFrom = 'apiNode' } = credential;
	const open = typeof openApiFrom === 'string' && openApiFrom.startsWith('=');
	const unchosen = openApiProperties.filter(
		({ displayOptions }) => !open && !(displayOptions?.show?.openApiFrom?.includes(openApiFrom as string) ?? true),
	);
	const names = new Set(unchosen.map(({ name }) => name));
	return Object.fromEntries(Object.entries(credential).filter(([name]) => !names.has(name)));
}

/**
 * A credential as it is stored, with unresolved expressions, and without unused fields.
 *
 * @returns undefined if this n8n does not provide it
 * @throws n8n's own error when the credential cannot be read
 */
export async function rawCredential(
	context: IExecuteFunctions | ILoadOptionsFunctions | IPollFunctions,
	type: string,
): Promise<ICredentialDataDecryptedObject | undefined> {
	const { additionalData, mode, executeData } = context as unknown as Internals;
	const helper = additionalData?.credentialsHelper;
	const details = context.getNode().credentials?.[type];
	// n8n itself reports a node without its credential.
	if (!details) return {};
	if (typeof helper?.getDecrypted !== 'function') return undefined;
	return inEffect(await helper.getDecrypted(additionalData!, details, type, mode, executeData, true));
}

/** Variables whose value may differ from item to item. The listed ones are the same for a whole execution. */
const ofItem = /\$(?!(?:secrets|vars|env|workflow|execution|self)\b)/;

/** Whether a stored value may resolve to something else for another item. */
export function dependsOnItem(value: unknown): boolean {
	if (typeof value === 'string') return value.startsWith('=') && ofItem.test(value);
	return typeof value === 'object' && value !== null && Object.values(value).some(dependsOnItem);
}
