/** The error of a failed request, sent as `{errorType, message, detailedMessage}`. */
export class ApiNodeError extends Error {
	constructor(
		readonly status: number,
		readonly errorType: string,
		message: string,
		readonly detailedMessage = message,
	) {
		super(message);
		this.name = 'ApiNodeError';
	}

	toJSON() {
		return { errorType: this.errorType, message: this.message, detailedMessage: this.detailedMessage };
	}
}

export const badRequest = (message: string) => new ApiNodeError(400, 'IllegalArgumentException', message);
export const unauthorized = (message: string) => new ApiNodeError(401, 'UnauthorizedException', message);
export const notFound = (message: string) => new ApiNodeError(404, 'NotFoundException', message);
export const overloaded = (message: string) => new ApiNodeError(503, 'ServerOverloadedException', message);
