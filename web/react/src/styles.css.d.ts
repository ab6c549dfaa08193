// Lets TypeScript 6 accept `import "@consigne/react/styles.css"`.
export {};
