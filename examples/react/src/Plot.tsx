import { useId, useLayoutEffect, useRef, useState, type PointerEvent } from "react";
import { axis, date, long } from "./format";
import { days, linear, ticks } from "./scale";

interface Point {
  x: number;
  y: number;
}

const HEIGHT = 168;
const TOP = 14;
const BOTTOM = HEIGHT - 24;
const LEFT = 50;
const RIGHT = 14;

/** A line over days, its axes labelled; the pointer reads off a point. */
export function Plot({ points, label }: { points: readonly Point[]; label: string }) {
  const gradient = useId();
  const [svg, width] = useWidth();
  const [hovered, setHovered] = useState<Point>();
  const values = points.map(({ y }) => y);
  const steps = ticks(Math.min(...values), Math.max(...values));
  const labels = axis(steps);
  const span: [number, number] = [points[0]!.x, points.at(-1)!.x];
  const x = linear(span, [LEFT, width - RIGHT]);
  const y = linear([steps[0]!, steps.at(-1)!], [BOTTOM, TOP]);
  const line = points.map((point) => `${x(point.x).toFixed(1)},${y(point.y).toFixed(1)}`).join("L");
  const shown = hovered ?? points.at(-1)!;

  function read({ clientX, currentTarget }: PointerEvent<SVGSVGElement>) {
    const at = clientX - currentTarget.getBoundingClientRect().left;
    const distance = (point: Point) => Math.abs(x(point.x) - at);
    setHovered(points.reduce((best, point) => (distance(point) < distance(best) ? point : best)));
  }

  return (
    <svg
      ref={svg}
      role="img"
      aria-label={label}
      width="100%"
      height={HEIGHT}
      onPointerMove={read}
      onPointerLeave={() => setHovered(undefined)}
    >
      <linearGradient id={gradient} x1="0" y1="0" x2="0" y2="1">
        <stop offset="0" className="area-top" />
        <stop offset="1" className="area-bottom" />
      </linearGradient>
      {steps.map((step, n) => (
        <g key={step}>
          <line className="grid" x1={LEFT} x2={width - RIGHT} y1={y(step)} y2={y(step)} />
          <text x={LEFT - 8} y={y(step)} dy="0.32em" textAnchor="end">
            {labels[n]}
          </text>
        </g>
      ))}
      {days(...span, Math.max(2, Math.floor(width / 90))).map((at) => (
        <text key={at} x={x(at)} y={HEIGHT - 6} textAnchor={anchor(x(at), width)}>
          {date(at)}
        </text>
      ))}
      {points.length > 1 && (
        <>
          <path d={`M${x(span[0])},${BOTTOM}L${line}L${x(span[1])},${BOTTOM}Z`} fill={`url(#${gradient})`} />
          <path className="line" d={`M${line}`} />
        </>
      )}
      {hovered && <line className="cross" x1={x(shown.x)} x2={x(shown.x)} y1={TOP} y2={BOTTOM} />}
      <circle className="dot" cx={x(shown.x)} cy={y(shown.y)} r="4" />
      {hovered && (
        <text className="read" x={x(shown.x)} y={TOP - 3} textAnchor={anchor(x(shown.x), width)}>
          {date(shown.x)}: {long(shown.y)}
        </text>
      )}
    </svg>
  );
}

function anchor(at: number, width: number): "start" | "middle" | "end" {
  if (at > width - 60) return "end";
  return at < LEFT + 40 ? "start" : "middle";
}

function useWidth() {
  const svg = useRef<SVGSVGElement>(null);
  const [width, setWidth] = useState(400);
  useLayoutEffect(() => {
    const element = svg.current!;
    setWidth(element.clientWidth);
    const watching = new ResizeObserver(() => setWidth(element.clientWidth));
    watching.observe(element);
    return () => watching.disconnect();
  }, []);
  return [svg, width] as const;
}
