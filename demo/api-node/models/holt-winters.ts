/** Additive Holt-Winters, ETS(A,A,A) in state space form: Hyndman & Athanasopoulos, Forecasting, 8.3 and 8.7. */
export interface Forecast {
	mean: number;
	/** Standard deviation of the error at this step. */
	deviation: number;
}

interface Smoothing {
	alpha: number;
	beta: number;
	gamma: number;
}

export function holtWinters(values: number[], period: number, horizon: number): Forecast[] {
	const season = values.length >= 2 * period ? period : 1;
	const candidates = grid(season > 1).map((smoothing) => ({ smoothing, ...smooth(values, season, smoothing) }));
	const best = candidates.reduce((a, b) => (b.error < a.error ? b : a));
	const { alpha, beta, gamma } = best.smoothing;
	const variance = best.error / Math.max(1, values.length - season);
	let spread = 1;
	return Array.from({ length: horizon }, (_, index) => {
		const step = index + 1;
		const mean = best.level + step * best.trend + best.seasons[(values.length + index) % season]!;
		const deviation = Math.sqrt(variance * spread);
		spread += (alpha * (1 + step * beta) + (step % season === 0 ? gamma : 0)) ** 2;
		return { mean, deviation };
	});
}

function grid(seasonal: boolean): Smoothing[] {
	return [0.05, 0.1, 0.2, 0.4, 0.7].flatMap((alpha) =>
		[0, 0.02, 0.1].flatMap((beta) => (seasonal ? [0.05, 0.15, 0.3] : [0]).map((gamma) => ({ alpha, beta, gamma }))),
	);
}

/** Returns the state after the last value, and the sum of squared one-step errors. */
function smooth(values: number[], season: number, { alpha, beta, gamma }: Smoothing) {
	const first = average(values.slice(0, season));
	const drift = (values.at(-1)! - values[0]!) / (values.length - 1);
	let trend = season > 1 ? (average(values.slice(season, 2 * season)) - first) / season : drift;
	const centre = (season - 1) / 2;
	const seasons = values.slice(0, season).map((value, index) => value - first - trend * (index - centre));
	let level = first + trend * centre;
	let error = 0;
	values.slice(season).forEach((value, index) => {
		const phase = index % season;
		const residual = value - (level + trend + seasons[phase]!);
		level += trend + alpha * residual;
		trend += alpha * beta * residual;
		seasons[phase]! += gamma * residual;
		error += residual ** 2;
	});
	return { level, trend, seasons, error };
}

function average(values: number[]): number {
	return values.reduce((sum, value) => sum + value, 0) / values.length;
}
