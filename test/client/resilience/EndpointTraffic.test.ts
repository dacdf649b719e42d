import { EndpointTraffic } from '../../../nodes/shared/client/EndpointTraffic';
import { Fleet } from '../../../nodes/shared/client/Fleet';
import type { Instance } from '../../../nodes/shared/client/Instance';

afterEach(() => void jest.restoreAllMocks());

it.each([0, 1, 2, 3, 4])(
	'lets a call in that finds the endpoint paused, although the pause ends while it looks (%d readings of the clock before)',
	async (readings) => {
		const instance = { host: 'one', inFlight: 0 } as Instance;
		const fleet = new Fleet([instance], async () => await Promise.resolve('alive'), jest.fn());
		const traffic = new EndpointTraffic(fleet);
		const lane = await traffic.enter(8, new Set());
		const now = Date.now();
		lane.failed(now, 1_000);
		traffic.leave(lane);
		const { resumesAt } = lane;
		expect(resumesAt).toBeGreaterThan(now);

		let read = 0;
		jest.spyOn(Date, 'now').mockImplementation(() => (read++ < readings ? resumesAt - 1 : resumesAt));

		expect(await traffic.enter(8, new Set())).toBe(lane);
	},
	2_000,
);
