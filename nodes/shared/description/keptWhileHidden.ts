import type { IDisplayOptions, INodeProperties } from 'n8n-workflow';

/**
 * Shows properties under a condition. The editor drops the value of a property that its conditions hide. Therefore, a hidden
 * field of the same name keeps the value.
 */
export function keptWhileHidden(
	shownIf: NonNullable<IDisplayOptions['show']>,
	properties: INodeProperties[],
): INodeProperties[] {
	return properties.flatMap((property) => {
		const { displayOptions } = property;
		// The last condition, because n8n ignores all conditions behind one whose parameter is an expression.
		const when = (how: 'show' | 'hide') => ({ ...displayOptions, [how]: { ...displayOptions?.[how], ...shownIf } });
		return [
			{ ...property, displayOptions: when('show') },
			{ ...property, displayOptions: when('hide'), type: 'hidden' },
		];
	});
}
