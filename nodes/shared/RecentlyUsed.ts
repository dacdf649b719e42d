interface Bounds<Value> {
	/** Values, at most. */
	most?: number;
	/** How long one is kept that nobody asks for, in milliseconds. */
	idleMs?: number;
	/** Whether a value is kept although nobody has asked for it of late. */
	isInUse?: (value: Value) => boolean;
}

/** What this process keeps between executions, by key. What was asked for longest ago goes first. */
export class RecentlyUsed<Value> {
	private readonly kept = new Map<string, { value: Value; usedAt: number }>();

	constructor(private readonly bounds: Bounds<Value>) {}

	/** The value of a key, made if there is none. */
	get(key: string, make: () => Value): Value {
		const found = this.find(key);
		if (found !== undefined) return found;
		const value = make();
		this.set(key, value);
		return value;
	}

	find(key: string): Value | undefined {
		const value = this.kept.get(key)?.value;
		if (value !== undefined) this.set(key, value);
		return value;
	}

	set(key: string, value: Value): void {
		this.kept.delete(key);
		this.kept.set(key, { value, usedAt: performance.now() });
		this.dropOld();
	}

	private dropOld(): void {
		const { most = Infinity, idleMs = Infinity, isInUse = () => false } = this.bounds;
		const now = performance.now();
		for (const [key, { value, usedAt }] of this.kept) {
			if (this.kept.size <= most && now - usedAt < idleMs) return;
			this.kept.delete(key);
			if (isInUse(value)) this.kept.set(key, { value, usedAt: now });
		}
	}
}
