import type { IExecuteFunctions, INodeExecutionData } from 'n8n-workflow';
import { InvalidCallError, type JsonObject, setOwn } from '../../client/internal';
import { rowsReader } from './callSettings';
import { listed } from './hints';
import { isObject } from './isObject';
import { combine, type Parameters, type Reader, textOf } from './parameters';
import { shortened } from './shortened';

interface FileRow {
	feature: string;
	/** The name of a binary field, or binary data from an expression. n8n's helpers accept both. */
	field: string;
}

/** The files of items, which go into their records as base64 texts. Each file is read when its record is made. */
export class ItemFiles {
	private readonly rowsOf: Reader<FileRow[]>;

	constructor(
		private readonly context: IExecuteFunctions,
		parameters: Parameters,
	) {
		const rows = rowsReader(parameters, 'Files', 'feature');
		this.rowsOf = combine([rows], (i) =>
			rows(i).map(({ feature, binaryProperty }) => {
				const name = textOf(feature).trim();
				if (name === '') throw new InvalidCallError('A row of "Files" has no "Send As" name');
				return { feature: name, field: binaryProperty as string };
			}),
		);
	}

	/** The part of an item's record that its files make up; undefined if no file is sent. */
	of(itemIndex: number): Promise<JsonObject> | undefined {
		const rows = this.rowsOf(itemIndex);
		return rows.length > 0 ? this.read(rows, itemIndex) : undefined;
	}

	private async read(rows: readonly FileRow[], itemIndex: number): Promise<JsonObject> {
		const files: JsonObject = {};
		for (const { feature, field } of rows) {
			if (Object.hasOwn(files, feature)) throw new InvalidCallError(`Two files would be sent as '${feature}'`);
			setOwn(files, feature, await this.base64(field, itemIndex));
		}
		return files;
	}

	private async base64(field: string, itemIndex: number): Promise<string> {
		const { helpers } = this.context;
		try {
			helpers.assertBinaryData(itemIndex, field);
		} catch {
			throw noFile(field, this.context.getInputData()[itemIndex]!);
		}
		try {
			return (await helpers.getBinaryDataBuffer(itemIndex, field)).toString('base64');
		} catch (error) {
			throw unreadable(field, error as NodeJS.ErrnoException);
		}
	}
}

/** Does not show the file itself, which an expression may have given. */
const named = (field: unknown) => (isObject(field) ? 'binary data' : shortened(textOf(field), 60));

const noFile = (field: string, { binary = {} }: INodeExecutionData) =>
	new InvalidCallError(`The item has no file in '${named(field)}'`, {
		advice: `Binary fields of the item: ${listed(Object.keys(binary)) || 'none'}.`,
	});

/** The message of a system error would show a path. */
const unreadable = (field: string, cause: NodeJS.ErrnoException) =>
	new InvalidCallError(
		`The file in '${named(field)}' could not be read`,
		{ advice: `n8n's storage responded: ${cause.code ?? cause.message}. The file may have been deleted.` },
		{ cause },
	);

export const withFiles = <Made extends JsonObject | readonly JsonObject[]>(made: Made, files: JsonObject): Made =>
	(Array.isArray(made)
		? (made as readonly JsonObject[]).map((record) => ({ ...record, ...files }))
		: { ...made, ...files }) as Made;
