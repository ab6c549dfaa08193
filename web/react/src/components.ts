"use client";

export { FileManager, type FileManagerProps, type FilesView } from "./components/FileManager.js";
export { ImageResults, type ImageResultsProps } from "./components/ImageResults.js";
export type { MediaItem } from "./components/media.js";
export type { Order, SortColumn } from "./components/order.js";
export { useWindowed, type Windowed } from "./components/useWindowed.js";
export { VideoResults, type VideoResultsProps } from "./components/VideoResults.js";
export type { Locale, MessageOverrides } from "./locales/words.js";
