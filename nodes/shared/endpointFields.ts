import type { FieldType, ILoadOptionsFunctions, ResourceMapperField, ResourceMapperFields } from 'n8n-workflow';
import { type FieldSchema, fieldWords, type OperationName } from '../../client/internal';
import { connectEditor } from './connection';
import { type AboutEndpoint, filledByModel } from './description/nodeProperties';
import { type Known, readDocument } from './documents';
import { summaryOf } from './nodeErrors';
import { operationNames } from './operations';
import { isTool, textOf } from './parameters';
import { shortened } from './shortened';

const mostChoices = 500;
const longestLabel = 120;

/** Loads the fields of a node's form from the service's OpenAPI document. */
export function endpointFields(operation: OperationName) {
	return async function getFields(this: ILoadOptionsFunctions): Promise<ResourceMapperFields> {
		const given = textOf(this.getNodeParameter('endpointId', '', { extractValue: true }));
		// Returns no notice, because the editor would keep it after an endpoint is chosen.
		if (given === '') return { fields: [] };
		let known: Known;
		let fields: readonly FieldSchema[] = [];
		let summary: string | undefined;
		try {
			const connection = await connectEditor(this);
			const { endpointId, serviceId } = given.includes('://')
				? connection.client.locate(given)
				: { endpointId: given, serviceId: chosenService(this) };
			known = await readDocument(connection, serviceId);
			fields = known.document?.schemaOf(endpointId, operation)?.fields ?? [];
			summary = known.document?.endpoints.find(
				(each) => each.id === endpointId && each.operation === operation,
			)?.summary;
		} catch (error) {
			known = { problem: error as Error };
		}
		const asTool = isTool(this.getNode());
		if (fields.length > 0) return { fields: asTool ? argumentFields(fields, summary) : fields.map(formField) };
		// A Python function fails if it gets an argument that it does not name.
		const isNamed = operation === 'runFunction' || operation === 'sqlQuery';
		const instead = asTool
			? 'the AI model fills in one JSON argument'
			: isNamed
				? 'all fields of the input item are sent, including fields that the endpoint rejects. To choose fields, use "Define Fields"'
				: 'all fields of the input item are sent under their own names. To choose fields, use "Define Fields"';
		return {
			fields: [],
			emptyFieldsNotice: `${whyNoFields(known, operation)}: ${instead}.`,
		};
	};
}

function whyNoFields({ document, problem, unserved }: Known, operation: OperationName): string {
	if (document) return `The OpenAPI document does not list the ${operationNames[operation].fields} of this endpoint`;
	if (unserved) return 'This service has no OpenAPI document';
	return `The OpenAPI document could not be read (${summaryOf(problem)})`;
}

export const chosenService = (context: ILoadOptionsFunctions): string | undefined =>
	textOf(context.getNodeParameter('options.serviceId', '')) || undefined;

/** Used instead of a toggle, which the editor stores as false before anyone has touched it. */
const yesOrNo = [
	{ name: 'True', value: true },
	{ name: 'False', value: false },
	{ name: 'Empty', value: '' },
];

/** The label contains type and description, because the editor shows no descriptions of fields. */
function formField({ name, type, description, enum: values, required }: FieldSchema): ResourceMapperField {
	const choices = values?.filter((value) => ['string', 'number', 'boolean'].includes(typeof value)) as
		Array<string | number | boolean> | undefined;
	const offered = choices?.length === values?.length && (choices?.length ?? 0) <= mostChoices ? choices : undefined;
	const options = offered?.map((value) => ({ name: String(value), value }));
	const label = description ? `${name}: ${description}` : name;
	return {
		id: name,
		displayName: shortened(label, longestLabel),
		defaultMatch: false,
		canBeUsedToMatch: false,
		required,
		display: true,
		// The editor adds it after the first run of a form that maps by name, and then considers the run outdated.
		removed: false,
		type: options || type === 'boolean' ? 'options' : formType(type),
		options: options ?? (type === 'boolean' ? yesOrNo : undefined),
	};
}

/** Names that n8n does not accept for arguments. */
const refused = new Set(['__proto__', 'arguments', 'binding', 'callee', 'caller', 'constructor', 'prototype']);

/**
 * The fields of a tool's form. Each is an argument that the model fills in, described by its name, type and documentation. If
 * the document says which fields are required, the others stay empty, because a model would invent values.
 */
function argumentFields(
	fields: readonly FieldSchema[],
	endpointSummary?: string,
): Array<ResourceMapperField & AboutEndpoint> {
	const anyRequired = fields.some(({ required }) => required);
	const taken = new Set<string>();
	return fields.map((field) => {
		const made = { ...formField(field), endpointSummary: endpointSummary?.replace(/[.\s]+$/, '') };
		if (anyRequired && !field.required) return made;
		const plain = field.name.replace(/[^\w-]/g, '_').slice(0, 60) || 'field';
		let key = plain;
		for (let n = 2; taken.has(key) || refused.has(key); n++) key = `${plain}_${n}`;
		taken.add(key);
		// n8n accepts no null for an argument.
		const about = harmless(fieldWords({ fields: [{ ...field, required: false, nullable: false }] }));
		return {
			...made,
			defaultValue: `={{ ${filledByModel} $fromAI('${key}', \`${about}\`, '${argumentType(field)}') }}`,
		};
	});
}

/** Keeps text of the document from ending the template literal of the expression that contains it. */
const harmless = (text: string) => text.replace(/[`\\]/g, "'").replaceAll('{', '(').replaceAll('}', ')');

const argumentType = ({ type }: FieldSchema): string => {
	if (type === 'array' || type === 'object') return 'json';
	return type === 'integer' ? 'number' : (type ?? 'string');
};

const formType = (type: FieldSchema['type']): FieldType | undefined => (type === 'integer' ? 'number' : type);
