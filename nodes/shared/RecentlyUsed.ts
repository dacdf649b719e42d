interface Bounds<Value> {
	most?: number;
	/** Milliseconds after which an unused value is removed. */
	idleMs?: number;
	/** Keeps a value that was not asked for lately. */
	isInUse?: (value: Value) => boolean;
}

/** A cache of this process across executions. The least recently used values are removed first. */
export class RecentlyUsed<Value> {
	private readonly kept = new Map<string, { value: Value; usedAt: number }>();

	constructor(private readonly bounds: Bounds<Value>) {}

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
