module.exports = {
	testEnvironment: 'node',
	transform: { '^.+\\.ts$': ['@swc/jest', { jsc: { target: 'es2022' } }] },
	testMatch: ['<rootDir>/test/**/*.test.ts'],
	testPathIgnorePatterns: ['<rootDir>/test/e2e/'],
	modulePathIgnorePatterns: ['<rootDir>/.runtime/'],
	testTimeout: 30_000,
	// Node 20 can spin for ever while it frees sockets that a failed test left open.
	forceExit: true,
};
