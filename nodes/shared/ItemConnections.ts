import type { IExecuteFunctions } from 'n8n-workflow';
import { type Authentication, checkGrant, type Connection, connector, credentialType } from './connection';
import { dependsOnItem, rawCredential } from './credentialExpressions';
import { choice, type Parameters, type Reader } from './parameters';

/**
 * The connection of each item of one execution. n8n reads its database whenever it is asked for a credential, so a credential
 * that is the same for all items is read once.
 */
export class ItemConnections {
	/** The connection of the item that was prepared last. */
	readonly of: Reader<Connection>;
	private readonly authenticationOf: Reader<Authentication>;
	private readonly connect: ReturnType<typeof connector>;
	private readonly known = new Map<string, Connection>();
	/** By `authentication`: the single connection of a credential that is the same for all items; null for other credentials. */
	private readonly shared = new Map<Authentication, Promise<Connection | null>>();
	private current: Connection | undefined;

	private constructor(
		private readonly context: IExecuteFunctions,
		parameters: Parameters,
	) {
		const given = parameters.reader('authentication', 'apiKey');
		this.authenticationOf = choice(given, 'Authentication', ['apiKey', 'oAuth2']);
		this.connect = connector(context);
		this.of = Object.assign(() => this.current!, { constant: false });
	}

	/** @throws the error of a credential that is the same for all items */
	static async open(context: IExecuteFunctions, parameters: Parameters): Promise<ItemConnections> {
		const connections = new ItemConnections(context, parameters);
		const { authenticationOf } = connections;
		const shared = authenticationOf.constant && (await connections.sharedBy(authenticationOf(0)));
		if (!shared) return connections;
		connections.current = shared;
		return Object.assign(connections, { of: Object.assign(() => shared, { constant: true }) });
	}

	get all(): Iterable<Connection> {
		return this.known.values();
	}

	/**
	 * Makes {@link of} return an item's connection.
	 *
	 * @returns a promise if the credential must be read; it rejects with the credential's error
	 */
	prepare(itemIndex: number): Promise<void> | undefined {
		return this.of.constant ? undefined : this.read(itemIndex).then((connection) => void (this.current = connection));
	}

	private async read(itemIndex: number): Promise<Connection> {
		const authentication = this.authenticationOf(itemIndex);
		return (await this.sharedBy(authentication)) ?? (await this.readFor(authentication, itemIndex));
	}

	private async sharedBy(authentication: Authentication): Promise<Connection | null> {
		let shared = this.shared.get(authentication);
		if (!shared) this.shared.set(authentication, (shared = this.findShared(authentication)));
		return await shared;
	}

	private async findShared(authentication: Authentication): Promise<Connection | null> {
		const oneItem = this.context.getInputData().length === 1;
		const oAuth2 = authentication === 'oAuth2';
		const type = credentialType(authentication);
		// If the stored credential is not available, reading it through n8n either works or explains why.
		const raw = oneItem && !oAuth2 ? undefined : await rawCredential(this.context, type).catch(() => undefined);
		if (raw && oAuth2) checkGrant(raw);
		const alike = raw ? !dependsOnItem({ ...raw, oauthTokenData: undefined }) : oneItem;
		return alike ? await this.readFor(authentication, 0) : null;
	}

	private async readFor(authentication: Authentication, itemIndex: number): Promise<Connection> {
		const credential = await this.context.getCredentials(credentialType(authentication), itemIndex);
		const connection = await this.connect(authentication, credential);
		const known = this.known.get(connection.id);
		if (!known) this.known.set(connection.id, connection);
		return known ?? connection;
	}
}
