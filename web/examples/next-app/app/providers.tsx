"use client";

import { ConsigneProvider } from "@consigne/react";
import type { ReactNode } from "react";

interface Props {
  baseUrl: string;
  sessionToken(): Promise<string | null>;
  children: ReactNode;
}

export function Providers({ baseUrl, sessionToken, children }: Props) {
  return (
    <ConsigneProvider baseUrl={baseUrl} getToken={() => sessionToken()}>
      {children}
    </ConsigneProvider>
  );
}
