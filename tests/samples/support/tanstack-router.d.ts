/** The part of TanStack Router that the sample of TanStack Start uses. The package is not installed here. */
declare module '@tanstack/react-router' {
  export function createFileRoute(path: string): <Route extends FileRoute>(route: Route) => Route;

  interface FileRoute {
    readonly server: {
      readonly handlers: { readonly ANY: (event: { readonly request: Request }) => Promise<Response> };
    };
  }
}
