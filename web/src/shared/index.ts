/** The package `@tocsin/client/shared`: one connection for all tabs of a user. */

export { type MakeClient, SharedClient } from "./client.js";
