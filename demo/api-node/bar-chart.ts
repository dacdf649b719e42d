import { crc32, deflateSync } from 'node:zlib';

const height = 60;
const barWidth = 8;

/** A grey-scale PNG with one bar per value, the tallest as high as the image. */
export function barChart(values: number[]): Buffer {
	const width = Math.max(1, values.length * barWidth);
	const max = Math.max(...values, Number.EPSILON);
	const lines = Array.from({ length: height }, (_, line) => {
		const pixels = Buffer.alloc(width + 1, 0xff);
		// Each line starts with its filter: none.
		pixels[0] = 0;
		values.forEach((value, index) => {
			const start = 1 + index * barWidth;
			if ((height - line) / height <= value / max) pixels.fill(0x40, start, start + barWidth - 1);
		});
		return pixels;
	});
	const header = Buffer.alloc(13);
	header.writeUInt32BE(width, 0);
	header.writeUInt32BE(height, 4);
	header[8] = 8;
	return Buffer.concat([
		Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]),
		chunk('IHDR', header),
		chunk('IDAT', deflateSync(Buffer.concat(lines))),
		chunk('IEND', Buffer.alloc(0)),
	]);
}

function chunk(type: string, data: Buffer): Buffer {
	const content = Buffer.concat([Buffer.from(type), data]);
	const length = Buffer.alloc(4);
	length.writeUInt32BE(data.length);
	const check = Buffer.alloc(4);
	check.writeUInt32BE(crc32(content));
	return Buffer.concat([length, content, check]);
}
