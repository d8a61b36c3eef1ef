// Package strictjson reads payloads of which nothing may be lost or guessed: one
// JSON object in UTF-8, without duplicate keys, unknown members or data after it.
// Text that is not such an object is an error that says where. What is wrong with
// its members is collected under their paths, so that all of it is reported at
// once.
package strictjson
