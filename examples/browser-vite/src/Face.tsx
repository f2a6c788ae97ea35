import type { ReactNode } from "react";
import type { Person } from "./room.ts";

export function Face({ name, color, isOnline = true }: Pick<Person, "name" | "color"> & { isOnline?: boolean }): ReactNode {
  return (
    <span className="face" data-color={color} data-online={isOnline} aria-hidden="true">
      {name.slice(0, 1).toUpperCase()}
    </span>
  );
}
