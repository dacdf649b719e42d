import type { Figures, Measured } from './tables';

function bars(figures: Figures): Array<[string, number]> {
	const perRecord = (name: string, records: number) => (figures[name] ?? NaN) / records;
	const node = perRecord('batch 20000 node', 20_000);
	return [
		['Predict node, batches of 100', 1],
		['Predict node, one request per record', perRecord('single 20000 node', 20_000) / node],
		['bare undici, batches of 100', perRecord('batch 20000 bare', 20_000) / node],
		['Python loop, batches of 100', perRecord('batch 20000 python', 20_000) / node],
		['Python loop, one request per record', perRecord('single 2000 python', 2_000) / node],
		['HTTP Request node', perRecord('single 2000 http', 2_000) / node],
	];
}

/** Time per record on a logarithmic scale. The node in batches is 1. */
export function chart({ engine }: Measured): string {
	// The newest Node.js, on which n8n runs.
	const [version, figures] = Object.entries(engine).at(-1)!;
	const shown = bars(figures).filter(([, times]) => Number.isFinite(times));
	const scale = (times: number) => Math.max(2, (Math.log10(times) + 1) * 110);
	const rows = shown.map(([label, times], n) => {
		const y = 44 + n * 30;
		const colour = label.startsWith('Predict') ? '#14746f' : '#9aa5a4';
		return [
			`<text x="250" y="${y + 14}" text-anchor="end">${label}</text>`,
			`<rect x="260" y="${y}" width="${scale(times).toFixed(0)}" height="20" rx="3" fill="${colour}"/>`,
			`<text x="${(268 + scale(times)).toFixed(0)}" y="${y + 14}">${times < 10 ? times.toFixed(1) : times.toFixed(0)}</text>`,
		].join('');
	});
	const height = 60 + shown.length * 30;
	return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 760 ${height}" font-family="sans-serif" font-size="13" fill="#333">
<rect width="760" height="${height}" fill="#fff"/>
<text x="20" y="26" font-size="15" font-weight="bold">Time per record, 20,000 items, times the Predict node in batches (log scale, ${version})</text>
${rows.join('\n')}
</svg>
`;
}
