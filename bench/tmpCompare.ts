import type { IDataObject } from 'n8n-workflow';
import { runNode } from '../test/support/engine/runNode';
import { startApiNodes } from './apiNodes';
import { payments, sales } from './workloads';

const roots: Record<string,string> = JSON.parse(process.argv[3]!);
import { PerformanceObserver } from 'node:perf_hooks';
let gcTime = 0; let gcCount = 0; const gcs: Record<string, number[]> = {};
new PerformanceObserver((l) => { for (const e of l.getEntries()) { gcTime += e.duration; gcCount++; } }).observe({ entryTypes: ['gc'] });
const act: Record<string, number[]> = {}; const cpu: Record<string, number[]> = {};
async function main() {
	const api = await startApiNodes(process.argv[2]!);
	const url = api.urls[0];
	const go = async (root: string, type: string, endpoint: string, items: IDataObject[], parameters: IDataObject = {}) => {
		const before = performance.eventLoopUtilization(); const c0 = process.cpuUsage(); const { error, output, timing } = await runNode({ type, items, packageRoot: root,
			parameters: { endpointId: { __rl: true, mode: 'id', value: endpoint }, ...parameters },
			credentials: { dataikuApiNodeApi: { url, serviceId: 'demo', authentication: 'apiKey', apiKey: 'demo-key' } } } as never);
		if (error) throw error;
		if (output.length === 0) throw new Error('none');
		const u = performance.eventLoopUtilization(before); const c1 = process.cpuUsage(c0); act[root] = [...(act[root] ?? []), u.active]; cpu[root] = [...(cpu[root] ?? []), (c1.user + c1.system) / 1000]; return timing.node;
	};
	const history = sales(1_000);
	const works: Record<string, (root: string) => Promise<number>> = {
		'batch 20000': (r) => go(r, 'dataikuPredict', 'fraud', payments(20_000)),
		'batch 2000': (r) => go(r, 'dataikuPredict', 'fraud', payments(2_000)),
		'single 2000': (r) => go(r, 'dataikuPredict', 'fraud', payments(2_000), { options: { batchSize: 1 } }),
		'sql 10000 rows': (r) => go(r, 'dataikuSqlQuery', 'all_transactions', [{}]),
		'forecast 1000 series': (r) => go(r, 'dataikuForecast', 'store_sales', history, { identifierColumns: 'store' }),
		'one item': async (r) => { let t = 0; for (let n = 0; n < 100; n++) t += await go(r, 'dataikuPredict', 'fraud', payments(1)); return t / 100; },
	};
	for (const [name, work] of Object.entries(works).filter(([n]) => new RegExp(process.argv[5] ?? '.').test(n))) {
		const samples: Record<string, number[]> = Object.fromEntries(Object.keys(roots).map((k) => [k, []]));
		for (const root of Object.values(roots)) for (let n = 0; n < 3; n++) await work(root);
		const until = performance.now() + Number(process.argv[4] ?? 10_000);
		const names = Object.keys(roots);
		for (let n = 0; performance.now() < until; n++) {
			for (let k = 0; k < names.length; k++) { const which = names[(k + n) % names.length]!; await new Promise((r) => setTimeout(r, 20)); gcTime = 0; gcCount = 0; samples[which]!.push(await work(roots[which]!)); await new Promise((r) => setTimeout(r, 20)); (gcs[roots[which]!] ??= []).push(gcTime); }
		}
		const median = (a: number[]) => a.sort((x, y) => x - y)[a.length >> 1]!;
		const first = median(samples[names[0]!]!);
		console.log(name, names.map((k) => `${k} ${median(samples[k]!).toFixed(1)} (${(median(samples[k]!) / first).toFixed(2)})`).join('  '), samples[names[0]!]!.length, 'active', names.map((k) => median(act[roots[k]!]!).toFixed(1)), 'gc', names.map((k) => (gcs[roots[k]!]!.reduce((a,b)=>a+b,0)/gcs[roots[k]!]!.length).toFixed(2)), 'cpu', names.map((k) => median(cpu[roots[k]!]!).toFixed(1))); for (const k of Object.values(roots)) { act[k] = []; cpu[k] = []; gcs[k] = []; }
	}
	api.stop();
	process.exit(0);
}
void main();
