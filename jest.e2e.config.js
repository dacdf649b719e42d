module.exports = {
	...require('./jest.config.js'),
	testMatch: ['<rootDir>/test/e2e/**/*.test.ts'],
	testPathIgnorePatterns: [],
	testTimeout: 120_000,
	maxWorkers: 1,
};
