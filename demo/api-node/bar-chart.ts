import { PNG } from 'pngjs';

const height = 60;
const barWidth = 8;
const greyScale = { colorType: 0, inputColorType: 0, filterType: 0 } as const;

/** A grayscale PNG with one bar per value. The tallest bar is as high as the image. */
export function barChart(values: number[]): Buffer {
	const width = Math.max(1, values.length * barWidth);
	const max = Math.max(...values, Number.EPSILON);
	const png = new PNG({ width, height });
	png.data = Buffer.alloc(width * height, 0xff);
	for (let line = 0; line < height; line++) {
		values.forEach((value, index) => {
			const start = line * width + index * barWidth;
			if ((height - line) / height <= value / max) png.data.fill(0x40, start, start + barWidth - 1);
		});
	}
	return PNG.sync.write(png, greyScale);
}
