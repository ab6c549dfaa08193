"use client";

export type { Locale, MessageOverrides } from "./locales/words.js";
export { type Consigne, ConsigneProvider, type ConsigneProviderProps, type GetToken, useConsigne } from "./provider.js";
export type { AxiosLikeError, RequestOptions } from "./secure.js";
export { type Job, type UseJobOptions, useJob } from "./useJob.js";
export { type Keys, useKeys } from "./useKeys.js";
export { type S3Files, type UseS3FilesOptions, useS3Files } from "./useS3Files.js";
export { type SecureAPI, useSecureAPI } from "./useSecureAPI.js";
export { type ShownTicket, useTicket } from "./useTicket.js";
export { type UploadState, type UploadStatus, type UploadsState, type UseUploadOptions, useUpload } from "./useUpload.js";
export { type Usage, type UseUsageOptions, useUsage } from "./useUsage.js";
