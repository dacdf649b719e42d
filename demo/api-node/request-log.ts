import type { IncomingHttpHeaders } from 'node:http';
import type { Action } from './endpoint';
import type { Json } from './json';

/** A request to the URL of an endpoint, with any outcome. */
export class LoggedRequest {
	/** Status of the response; 0 while there is none. */
	status = 0;

	constructor(
		readonly service: string,
		readonly endpoint: string,
		readonly action: string,
		readonly headers: IncomingHttpHeaders,
		readonly text: string,
	) {}

	get body(): Json {
		return JSON.parse(this.text) as Json;
	}
}

interface RequestFilter {
	service?: string;
	endpoint?: string;
	action?: Action;
	status?: number;
}

/** Counts all requests and keeps the latest ones. */
export class RequestLog {
	/** The latest requests, oldest first; at most `kept`. */
	recent: LoggedRequest[] = [];
	/** Requests in progress, and their maximum so far. */
	inFlight = 0;
	peak = 0;
	private counts = new Map<string, RequestFilter & { count: number }>();

	constructor(private readonly kept: number) {}

	get last(): LoggedRequest | undefined {
		return this.recent[this.recent.length - 1];
	}

	count(filter: RequestFilter = {}): number {
		const wanted = Object.entries(filter) as Array<[keyof RequestFilter, string | number]>;
		const matching = [...this.counts.values()].filter((entry) => wanted.every(([key, value]) => entry[key] === value));
		return matching.reduce((sum, { count }) => sum + count, 0);
	}

	started(request: LoggedRequest) {
		this.peak = Math.max(this.peak, ++this.inFlight);
		this.recent.push(request);
		if (this.recent.length > this.kept) this.recent.shift();
	}

	ended(request: LoggedRequest, status: number) {
		this.inFlight--;
		request.status = status;
		const { service, endpoint, action } = request;
		const key = JSON.stringify([service, endpoint, action, status]);
		const entry = this.counts.get(key) ?? { service, endpoint, action: action as Action, status, count: 0 };
		entry.count++;
		this.counts.set(key, entry);
	}

	clear() {
		this.recent = [];
		this.peak = this.inFlight;
		this.counts.clear();
	}
}
