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

/** What n8n's contexts have beside what it promises to nodes. */
interface Internals {
	additionalData?: IWorkflowExecuteAdditionalData & { credentialsHelper?: Partial<ICredentialsHelper> };
	mode: WorkflowExecuteMode;
	executeData?: IExecuteData;
}

/** A credential without what is filled in for a choice of document that it has not made. */
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
 * A credential as it is stored, as far as it is in effect, its expressions unresolved.
 *
 * @returns undefined where this n8n does not show it
 * @throws n8n's own error when the credential cannot be read
 */
export async function rawCredential(
	context: IExecuteFunctions | ILoadOptionsFunctions | IPollFunctions,
	type: string,
): Promise<ICredentialDataDecryptedObject | undefined> {
	const { additionalData, mode, executeData } = context as unknown as Internals;
	const helper = additionalData?.credentialsHelper;
	const details = context.getNode().credentials?.[type];
	// n8n has words for a node without its credential.
	if (!details) return {};
	if (typeof helper?.getDecrypted !== 'function') return undefined;
	return inEffect(await helper.getDecrypted(additionalData!, details, type, mode, executeData, true));
}

/** A name in an expression that may mean something else for another item; the rest are the same for a whole execution. */
const ofItem = /\$(?!(?:secrets|vars|env|workflow|execution|self)\b)/;

/** Whether a stored value can come to something else for another item. */
export function dependsOnItem(value: unknown): boolean {
	if (typeof value === 'string') return value.startsWith('=') && ofItem.test(value);
	return typeof value === 'object' && value !== null && Object.values(value).some(dependsOnItem);
}
