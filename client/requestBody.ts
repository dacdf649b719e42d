import { InvalidCallError, thrownText } from './errors';
import type { DispatchOptions, ExplanationOptions } from './types';

/** The settings that apply to all records of a request. */
export interface RequestSettings {
	explanations?: { enabled?: boolean; method?: string; nExplanations?: number; nMonteCarloSteps?: number };
	dispatch?: { forcedGeneration: string } | { dispatchKey: string };
}

/**
 * Builds `explanations` and `dispatch` as Dataiku's Python client 14.3.3 does, but leaves out nulls.
 *
 * @throws InvalidCallError for a value that the API node's documentation does not allow
 */
export function requestSettings(options: DispatchOptions & ExplanationOptions): RequestSettings {
	const settings: RequestSettings = {};
	const explanations = {
		...(options.withExplanations !== undefined && { enabled: options.withExplanations }),
		...(options.explanationMethod !== undefined && { method: options.explanationMethod }),
		...(options.nExplanations !== undefined && { nExplanations: options.nExplanations }),
		...(options.nExplanationsMcSteps !== undefined && { nMonteCarloSteps: options.nExplanationsMcSteps }),
	};
	const { method, nExplanations: count, nMonteCarloSteps: steps } = explanations;
	if (method !== undefined && method !== 'ICE' && method !== 'SHAPLEY') {
		throw new InvalidCallError(`The explanation method must be ICE or SHAPLEY, not '${String(method)}'`);
	}
	if (count !== undefined && !(Number.isInteger(count) && count >= 1)) {
		throw new InvalidCallError(`The number of explanations must be a positive integer, not '${String(count)}'`);
	}
	if (steps !== undefined && !(Number.isInteger(steps) && steps >= 25 && steps <= 1000)) {
		throw new InvalidCallError(
			`The number of Monte Carlo steps must be an integer from 25 to 1000, not '${String(steps)}'`,
		);
	}
	if (Object.keys(explanations).length > 0) settings.explanations = explanations;
	if (options.forcedGeneration !== undefined) settings.dispatch = { forcedGeneration: options.forcedGeneration };
	else if (options.dispatchKey !== undefined) settings.dispatch = { dispatchKey: options.dispatchKey };
	return settings;
}

/** @throws InvalidCallError for a value that JSON cannot represent */
export function jsonText(value: unknown): string {
	let text: string | undefined;
	try {
		text = JSON.stringify(value);
	} catch (error) {
		throw notForJson(thrownText(error), { cause: error });
	}
	if (text === undefined) throw notForJson('it is undefined, or its toJSON returns undefined');
	return text;
}

export function notForJson(why: string, options?: ErrorOptions): InvalidCallError {
	return new InvalidCallError(`The value cannot be converted to JSON: ${why}`, {}, options);
}

/** Builds the body for one record, from a text such as `{"features": {}, "context": {}}`. */
export function recordBody(record: string, settings: RequestSettings): string {
	return withSettings(record.slice(0, -1), settings);
}

/** Builds the body of a `-multi` action. */
export function recordsBody(records: readonly string[], settings: RequestSettings): string {
	return withSettings(`{"items":[${records.join(',')}]`, settings);
}

function withSettings(openObject: string, settings: RequestSettings): string {
	const text = JSON.stringify(settings);
	return text === '{}' ? `${openObject}}` : `${openObject},${text.slice(1)}`;
}
