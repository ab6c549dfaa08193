// This file is generated from openapi.json by generate.ts.

import type {
  GetBlogData,
  GetBlogResponse,
  GetBooksData,
  GetBooksResponse,
  GetCatalogueData,
  GetCatalogueResponse,
  PostCreditsHoldsData,
  PostCreditsHoldsResponse,
  PostCreditsHoldsIdSettleData,
  PostCreditsHoldsIdSettleResponse,
  PostCreditsHoldsIdVoidData,
  PostCreditsHoldsIdVoidResponse,
  DeleteFilesDeleteData,
  DeleteFilesDeleteResponse,
  GetFilesListData,
  GetFilesListResponse,
  GetFilesMetadataData,
  GetFilesMetadataResponse,
  PatchFilesMetadataData,
  PatchFilesMetadataResponse,
  PostFilesPresignedUrlData,
  PostFilesPresignedUrlResponse,
  PostFilesPublishData,
  PostFilesPublishResponse,
  DeleteFilesPublishData,
  DeleteFilesPublishResponse,
  PostFilesUploadsData,
  PostFilesUploadsResponse,
  DeleteFilesUploadsFileIdData,
  DeleteFilesUploadsFileIdResponse,
  PostFilesUploadsFileIdCompleteData,
  PostFilesUploadsFileIdCompleteResponse,
  GetFilesUploadsFileIdPartsData,
  GetFilesUploadsFileIdPartsResponse,
  PostFilesUploadsFileIdPartsData,
  PostFilesUploadsFileIdPartsResponse,
  GetFilesUsageData,
  GetFilesUsageResponse,
  GetHealthData,
  GetHealthResponse,
  PostInvitationsAcceptData,
  PostInvitationsAcceptResponse,
  PostKeysReceiptsIdOutcomeData,
  PostKeysReceiptsIdOutcomeResponse,
  PostKeysVerifyData,
  PostKeysVerifyResponse,
  GetMailUnsubscribeData,
  GetMailUnsubscribeResponse,
  PostMailUnsubscribeData,
  PostMailUnsubscribeResponse,
  GetMeData,
  GetMeResponse,
  PostMeEraseData,
  PostMeEraseResponse,
  GetMeExportData,
  GetMeExportResponse,
  PostMeExportData,
  PostMeExportResponse,
  GetOrdersData,
  GetOrdersResponse,
  PostOrdersByPaymentIntentIdClientSubmitData,
  PostOrdersByPaymentIntentIdClientSubmitResponse,
  GetOrdersIdData,
  GetOrdersIdResponse,
  GetOrgsData,
  GetOrgsResponse,
  PostOrgsData,
  PostOrgsResponse,
  DeleteOrgsOrgData,
  DeleteOrgsOrgResponse,
  PatchOrgsOrgData,
  PatchOrgsOrgResponse,
  GetOrgsOrgAuditData,
  GetOrgsOrgAuditResponse,
  PostOrgsOrgCreditsCheckoutData,
  PostOrgsOrgCreditsCheckoutResponse,
  PostOrgsOrgDeliveriesDeliveryRedeliverData,
  PostOrgsOrgDeliveriesDeliveryRedeliverResponse,
  GetOrgsOrgEndpointsData,
  GetOrgsOrgEndpointsResponse,
  PostOrgsOrgEndpointsData,
  PostOrgsOrgEndpointsResponse,
  DeleteOrgsOrgEndpointsEndpointData,
  DeleteOrgsOrgEndpointsEndpointResponse,
  PatchOrgsOrgEndpointsEndpointData,
  PatchOrgsOrgEndpointsEndpointResponse,
  GetOrgsOrgEndpointsEndpointDeliveriesData,
  GetOrgsOrgEndpointsEndpointDeliveriesResponse,
  PostOrgsOrgEndpointsEndpointRotateData,
  PostOrgsOrgEndpointsEndpointRotateResponse,
  PostOrgsOrgEndpointsEndpointTestData,
  PostOrgsOrgEndpointsEndpointTestResponse,
  GetOrgsOrgInvitationsData,
  GetOrgsOrgInvitationsResponse,
  PostOrgsOrgInvitationsData,
  PostOrgsOrgInvitationsResponse,
  DeleteOrgsOrgInvitationsInvitationData,
  DeleteOrgsOrgInvitationsInvitationResponse,
  GetOrgsOrgKeysData,
  GetOrgsOrgKeysResponse,
  PostOrgsOrgKeysData,
  PostOrgsOrgKeysResponse,
  DeleteOrgsOrgKeysKeyData,
  DeleteOrgsOrgKeysKeyResponse,
  PatchOrgsOrgKeysKeyData,
  PatchOrgsOrgKeysKeyResponse,
  PostOrgsOrgKeysKeyRevokeData,
  PostOrgsOrgKeysKeyRevokeResponse,
  PostOrgsOrgKeysKeyRotateData,
  PostOrgsOrgKeysKeyRotateResponse,
  GetOrgsOrgMembersData,
  GetOrgsOrgMembersResponse,
  DeleteOrgsOrgMembersUserData,
  DeleteOrgsOrgMembersUserResponse,
  PatchOrgsOrgMembersUserData,
  PatchOrgsOrgMembersUserResponse,
  GetOrgsOrgPaymentsData,
  GetOrgsOrgPaymentsResponse,
  GetOrgsOrgStatsData,
  GetOrgsOrgStatsResponse,
  GetOrgsOrgUsageData,
  GetOrgsOrgUsageResponse,
  GetOrgsOrgWalletData,
  GetOrgsOrgWalletResponse,
  PostSecureBlogGenerateData,
  PostSecureBlogGenerateResponse,
  PostSecureBooksGenerateData,
  PostSecureBooksGenerateResponse,
  DeleteSecureFilesDeleteKeyData,
  DeleteSecureFilesDeleteKeyResponse,
  GetSecureFilesDownloadKeyData,
  GetSecureFilesDownloadKeyResponse,
  GetSecureFilesListData,
  GetSecureFilesListResponse,
  PostSecureImagesGenerateData,
  PostSecureImagesGenerateResponse,
  GetSecureJobsData,
  GetSecureJobsResponse,
  DeleteSecureJobsIdData,
  DeleteSecureJobsIdResponse,
  GetSecureJobsIdStatusData,
  GetSecureJobsIdStatusResponse,
  PostSecureVideosGenerateData,
  PostSecureVideosGenerateResponse,
  GetServicesData,
  GetServicesResponse,
  PostWebhooksClerkData,
  PostWebhooksClerkResponse,
  PostWebhooksImageCompletionData,
  PostWebhooksImageCompletionResponse,
  PostWebhooksJobsIdUploadsData,
  PostWebhooksJobsIdUploadsResponse,
  PostWebhooksStripeData,
  PostWebhooksStripeResponse,
  PostWebhooksTextCompletionData,
  PostWebhooksTextCompletionResponse,
  PostWebhooksVideoCompletionData,
  PostWebhooksVideoCompletionResponse,
  GetHealthAtRootData,
  GetHealthAtRootResponse,
} from "./types.gen.js";

/** Each operation by its method and path, with the types of its request and of its answer. */
export interface Operations {
  "GET /api/blog": { data: GetBlogData; answer: GetBlogResponse };
  "GET /api/books": { data: GetBooksData; answer: GetBooksResponse };
  "GET /api/catalogue": { data: GetCatalogueData; answer: GetCatalogueResponse };
  "POST /api/credits/holds": { data: PostCreditsHoldsData; answer: PostCreditsHoldsResponse };
  "POST /api/credits/holds/{id}/settle": { data: PostCreditsHoldsIdSettleData; answer: PostCreditsHoldsIdSettleResponse };
  "POST /api/credits/holds/{id}/void": { data: PostCreditsHoldsIdVoidData; answer: PostCreditsHoldsIdVoidResponse };
  "DELETE /api/files/delete": { data: DeleteFilesDeleteData; answer: DeleteFilesDeleteResponse };
  "GET /api/files/list": { data: GetFilesListData; answer: GetFilesListResponse };
  "GET /api/files/metadata": { data: GetFilesMetadataData; answer: GetFilesMetadataResponse };
  "PATCH /api/files/metadata": { data: PatchFilesMetadataData; answer: PatchFilesMetadataResponse };
  "POST /api/files/presigned-url": { data: PostFilesPresignedUrlData; answer: PostFilesPresignedUrlResponse };
  "POST /api/files/publish": { data: PostFilesPublishData; answer: PostFilesPublishResponse };
  "DELETE /api/files/publish": { data: DeleteFilesPublishData; answer: DeleteFilesPublishResponse };
  "POST /api/files/uploads": { data: PostFilesUploadsData; answer: PostFilesUploadsResponse };
  "DELETE /api/files/uploads/{fileId}": { data: DeleteFilesUploadsFileIdData; answer: DeleteFilesUploadsFileIdResponse };
  "POST /api/files/uploads/{fileId}/complete": { data: PostFilesUploadsFileIdCompleteData; answer: PostFilesUploadsFileIdCompleteResponse };
  "GET /api/files/uploads/{fileId}/parts": { data: GetFilesUploadsFileIdPartsData; answer: GetFilesUploadsFileIdPartsResponse };
  "POST /api/files/uploads/{fileId}/parts": { data: PostFilesUploadsFileIdPartsData; answer: PostFilesUploadsFileIdPartsResponse };
  "GET /api/files/usage": { data: GetFilesUsageData; answer: GetFilesUsageResponse };
  "GET /api/health": { data: GetHealthData; answer: GetHealthResponse };
  "POST /api/invitations/accept": { data: PostInvitationsAcceptData; answer: PostInvitationsAcceptResponse };
  "POST /api/keys/receipts/{id}/outcome": { data: PostKeysReceiptsIdOutcomeData; answer: PostKeysReceiptsIdOutcomeResponse };
  "POST /api/keys/verify": { data: PostKeysVerifyData; answer: PostKeysVerifyResponse };
  "GET /api/mail/unsubscribe": { data: GetMailUnsubscribeData; answer: GetMailUnsubscribeResponse };
  "POST /api/mail/unsubscribe": { data: PostMailUnsubscribeData; answer: PostMailUnsubscribeResponse };
  "GET /api/me": { data: GetMeData; answer: GetMeResponse };
  "POST /api/me/erase": { data: PostMeEraseData; answer: PostMeEraseResponse };
  "GET /api/me/export": { data: GetMeExportData; answer: GetMeExportResponse };
  "POST /api/me/export": { data: PostMeExportData; answer: PostMeExportResponse };
  "GET /api/orders": { data: GetOrdersData; answer: GetOrdersResponse };
  "POST /api/orders/by-payment-intent/{id}/client-submit": { data: PostOrdersByPaymentIntentIdClientSubmitData; answer: PostOrdersByPaymentIntentIdClientSubmitResponse };
  "GET /api/orders/{id}": { data: GetOrdersIdData; answer: GetOrdersIdResponse };
  "GET /api/orgs": { data: GetOrgsData; answer: GetOrgsResponse };
  "POST /api/orgs": { data: PostOrgsData; answer: PostOrgsResponse };
  "DELETE /api/orgs/{org}": { data: DeleteOrgsOrgData; answer: DeleteOrgsOrgResponse };
  "PATCH /api/orgs/{org}": { data: PatchOrgsOrgData; answer: PatchOrgsOrgResponse };
  "GET /api/orgs/{org}/audit": { data: GetOrgsOrgAuditData; answer: GetOrgsOrgAuditResponse };
  "POST /api/orgs/{org}/credits/checkout": { data: PostOrgsOrgCreditsCheckoutData; answer: PostOrgsOrgCreditsCheckoutResponse };
  "POST /api/orgs/{org}/deliveries/{delivery}/redeliver": { data: PostOrgsOrgDeliveriesDeliveryRedeliverData; answer: PostOrgsOrgDeliveriesDeliveryRedeliverResponse };
  "GET /api/orgs/{org}/endpoints": { data: GetOrgsOrgEndpointsData; answer: GetOrgsOrgEndpointsResponse };
  "POST /api/orgs/{org}/endpoints": { data: PostOrgsOrgEndpointsData; answer: PostOrgsOrgEndpointsResponse };
  "DELETE /api/orgs/{org}/endpoints/{endpoint}": { data: DeleteOrgsOrgEndpointsEndpointData; answer: DeleteOrgsOrgEndpointsEndpointResponse };
  "PATCH /api/orgs/{org}/endpoints/{endpoint}": { data: PatchOrgsOrgEndpointsEndpointData; answer: PatchOrgsOrgEndpointsEndpointResponse };
  "GET /api/orgs/{org}/endpoints/{endpoint}/deliveries": { data: GetOrgsOrgEndpointsEndpointDeliveriesData; answer: GetOrgsOrgEndpointsEndpointDeliveriesResponse };
  "POST /api/orgs/{org}/endpoints/{endpoint}/rotate": { data: PostOrgsOrgEndpointsEndpointRotateData; answer: PostOrgsOrgEndpointsEndpointRotateResponse };
  "POST /api/orgs/{org}/endpoints/{endpoint}/test": { data: PostOrgsOrgEndpointsEndpointTestData; answer: PostOrgsOrgEndpointsEndpointTestResponse };
  "GET /api/orgs/{org}/invitations": { data: GetOrgsOrgInvitationsData; answer: GetOrgsOrgInvitationsResponse };
  "POST /api/orgs/{org}/invitations": { data: PostOrgsOrgInvitationsData; answer: PostOrgsOrgInvitationsResponse };
  "DELETE /api/orgs/{org}/invitations/{invitation}": { data: DeleteOrgsOrgInvitationsInvitationData; answer: DeleteOrgsOrgInvitationsInvitationResponse };
  "GET /api/orgs/{org}/keys": { data: GetOrgsOrgKeysData; answer: GetOrgsOrgKeysResponse };
  "POST /api/orgs/{org}/keys": { data: PostOrgsOrgKeysData; answer: PostOrgsOrgKeysResponse };
  "DELETE /api/orgs/{org}/keys/{key}": { data: DeleteOrgsOrgKeysKeyData; answer: DeleteOrgsOrgKeysKeyResponse };
  "PATCH /api/orgs/{org}/keys/{key}": { data: PatchOrgsOrgKeysKeyData; answer: PatchOrgsOrgKeysKeyResponse };
  "POST /api/orgs/{org}/keys/{key}/revoke": { data: PostOrgsOrgKeysKeyRevokeData; answer: PostOrgsOrgKeysKeyRevokeResponse };
  "POST /api/orgs/{org}/keys/{key}/rotate": { data: PostOrgsOrgKeysKeyRotateData; answer: PostOrgsOrgKeysKeyRotateResponse };
  "GET /api/orgs/{org}/members": { data: GetOrgsOrgMembersData; answer: GetOrgsOrgMembersResponse };
  "DELETE /api/orgs/{org}/members/{user}": { data: DeleteOrgsOrgMembersUserData; answer: DeleteOrgsOrgMembersUserResponse };
  "PATCH /api/orgs/{org}/members/{user}": { data: PatchOrgsOrgMembersUserData; answer: PatchOrgsOrgMembersUserResponse };
  "GET /api/orgs/{org}/payments": { data: GetOrgsOrgPaymentsData; answer: GetOrgsOrgPaymentsResponse };
  "GET /api/orgs/{org}/stats": { data: GetOrgsOrgStatsData; answer: GetOrgsOrgStatsResponse };
  "GET /api/orgs/{org}/usage": { data: GetOrgsOrgUsageData; answer: GetOrgsOrgUsageResponse };
  "GET /api/orgs/{org}/wallet": { data: GetOrgsOrgWalletData; answer: GetOrgsOrgWalletResponse };
  "POST /api/secure/blog/generate": { data: PostSecureBlogGenerateData; answer: PostSecureBlogGenerateResponse };
  "POST /api/secure/books/generate": { data: PostSecureBooksGenerateData; answer: PostSecureBooksGenerateResponse };
  "DELETE /api/secure/files/delete/{key}": { data: DeleteSecureFilesDeleteKeyData; answer: DeleteSecureFilesDeleteKeyResponse };
  "GET /api/secure/files/download/{key}": { data: GetSecureFilesDownloadKeyData; answer: GetSecureFilesDownloadKeyResponse };
  "GET /api/secure/files/list": { data: GetSecureFilesListData; answer: GetSecureFilesListResponse };
  "POST /api/secure/images/generate": { data: PostSecureImagesGenerateData; answer: PostSecureImagesGenerateResponse };
  "GET /api/secure/jobs": { data: GetSecureJobsData; answer: GetSecureJobsResponse };
  "DELETE /api/secure/jobs/{id}": { data: DeleteSecureJobsIdData; answer: DeleteSecureJobsIdResponse };
  "GET /api/secure/jobs/{id}/status": { data: GetSecureJobsIdStatusData; answer: GetSecureJobsIdStatusResponse };
  "POST /api/secure/videos/generate": { data: PostSecureVideosGenerateData; answer: PostSecureVideosGenerateResponse };
  "GET /api/services": { data: GetServicesData; answer: GetServicesResponse };
  "POST /api/webhooks/clerk": { data: PostWebhooksClerkData; answer: PostWebhooksClerkResponse };
  "POST /api/webhooks/image-completion": { data: PostWebhooksImageCompletionData; answer: PostWebhooksImageCompletionResponse };
  "POST /api/webhooks/jobs/{id}/uploads": { data: PostWebhooksJobsIdUploadsData; answer: PostWebhooksJobsIdUploadsResponse };
  "POST /api/webhooks/stripe": { data: PostWebhooksStripeData; answer: PostWebhooksStripeResponse };
  "POST /api/webhooks/text-completion": { data: PostWebhooksTextCompletionData; answer: PostWebhooksTextCompletionResponse };
  "POST /api/webhooks/video-completion": { data: PostWebhooksVideoCompletionData; answer: PostWebhooksVideoCompletionResponse };
  "GET /health": { data: GetHealthAtRootData; answer: GetHealthAtRootResponse };
}
