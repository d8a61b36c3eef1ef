// Package customresource serves Custom::PostgresDatabase, the CloudFormation custom
// resource that is a registered database. CloudFormation sends each request at
// least once, and waits for the answer at a URL in the request.
//
// The request's ID is the idempotency key of a create, so a request that is
// delivered twice registers one database. The physical ID of the resource is the
// database's ID. A create that fails has another physical ID, which leads the
// delete that follows to whatever the create may have registered.
//
// A stack that fails is rolled back by an update from the properties that failed to
// those of before. A database of another account remembers which one it replaces, so
// that the way back leads to that one and registers no third.
package customresource
