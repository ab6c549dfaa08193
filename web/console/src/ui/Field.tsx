import { createContext, type ReactNode, useContext, useId } from "react";

interface Ids {
  id: string;
  described: string | undefined;
  invalid: boolean;
}

const Context = createContext<Ids>({ id: "", described: undefined, invalid: false });

/** A label, its control, and what is wrong with it. */
export function Field({ label, hint, error, children }: { label: string; hint?: string; error?: string | undefined; children: ReactNode }) {
  const id = useId();
  const described = error || hint ? `${id}-text` : undefined;
  return (
    <div className="grid gap-1">
      <label htmlFor={id} className="font-medium">
        {label}
      </label>
      <Context.Provider value={{ id, described, invalid: Boolean(error) }}>{children}</Context.Provider>
      {(error || hint) && (
        <p id={described} role={error ? "alert" : undefined} className={error ? "text-bad" : "text-muted"}>
          {error || hint}
        </p>
      )}
    </div>
  );
}

const LOOK = "h-9 w-full min-w-0 leading-6 rounded-md border border-control bg-bg px-3 aria-invalid:border-bad";

function useIds() {
  const { id, described, invalid } = useContext(Context);
  return { id, "aria-describedby": described, "aria-invalid": invalid || undefined };
}

interface TextProps {
  value: string;
  onChange(value: string): void;
  type?: "text" | "password" | "number" | "date" | "url" | "email";
  required?: boolean;
  mono?: boolean;
  min?: string | number;
  max?: string | number;
  maxLength?: number;
  placeholder?: string;
}

export function TextInput({ value, onChange, mono = false, type = "text", ...rest }: TextProps) {
  const ids = useIds();
  return (
    <input
      {...rest}
      {...ids}
      type={type}
      autoComplete="off"
      spellCheck={false}
      className={`${LOOK} ${mono ? "font-mono" : ""}`}
      value={value}
      onChange={(event) => onChange(event.target.value)}
    />
  );
}

/** Text of several lines, for programs. */
export function TextArea({ value, onChange }: Pick<TextProps, "value" | "onChange">) {
  const ids = useIds();
  return (
    <textarea
      {...ids}
      rows={6}
      spellCheck={false}
      className="w-full rounded-md border border-control bg-bg px-3 py-2 font-mono text-sm"
      value={value}
      onChange={(event) => onChange(event.target.value)}
    />
  );
}

interface ChoiceProps {
  value: string;
  options: [value: string, label: string][];
  /** Language of the labels, where it is another one than the page's. */
  lang?: string;
  onChange(value: string): void;
}

/** One of a few, as the browser's own list. */
export function Choice({ value, options, lang, onChange }: ChoiceProps) {
  const ids = useIds();
  return (
    <select {...ids} lang={lang} className={LOOK} value={value} onChange={(event) => onChange(event.target.value)}>
      {options.map(([one, label]) => (
        <option key={one} value={one}>
          {label}
        </option>
      ))}
    </select>
  );
}

/** Several of a few. */
export function Checks({
  legend,
  options,
  chosen,
  error,
  onChange,
}: {
  legend: string;
  options: string[];
  chosen: string[];
  error?: string;
  onChange(chosen: string[]): void;
}) {
  const id = useId();
  return (
    <fieldset className="grid gap-1" aria-describedby={error ? id : undefined}>
      <legend className="mb-1 font-medium">{legend}</legend>
      <div className="grid gap-x-4 gap-y-1 sm:grid-cols-2">
        {options.map((one) => (
          <label key={one} className="flex min-h-8 items-center gap-2 font-mono text-sm">
            <input
              type="checkbox"
              className="size-4 accent-accent"
              checked={chosen.includes(one)}
              onChange={(event) => onChange(event.target.checked ? [...chosen, one] : chosen.filter((other) => other !== one))}
            />
            {one}
          </label>
        ))}
      </div>
      {error && (
        <p id={id} role="alert" className="text-bad">
          {error}
        </p>
      )}
    </fieldset>
  );
}
