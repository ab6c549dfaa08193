import "@consigne/react/styles.css";
import type { ReactNode } from "react";
import { Providers } from "./providers";
import { sessionToken } from "./session";

export const metadata = { title: "Files on Consigne" };

export default function Layout({ children }: { children: ReactNode }) {
  return (
    <html lang="en">
      <body style={{ maxWidth: 960, margin: "24px auto", padding: "0 16px", fontFamily: "system-ui, sans-serif" }}>
        <Providers baseUrl={process.env.CONSIGNE_URL ?? "http://localhost:4580"} sessionToken={sessionToken}>
          {children}
        </Providers>
      </body>
    </html>
  );
}
