/** A browser on a busy machine is late now and then: a test that fails once is seen to fail, and tried once more. */
jest.retryTimes(1, { logErrorsBeforeRetry: true });
