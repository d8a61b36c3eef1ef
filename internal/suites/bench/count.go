package bench

import "context"

// Counts are the connections that a cold create makes and the round trips that it
// takes on them, each connection's own included. Some of AWS's are beside those to
// Postgres.
type Counts struct {
	PostgresConnections, PostgresRoundTrips int
	AWSConnections, AWSRoundTrips           int
}

// CountColdCreate makes one create by a function that was started for it, far from
// all that it talks to, and counts. It builds the functions from the repository
// that it is run in, and stops what it started.
func CountColdCreate(ctx context.Context) (Counts, error) {
	var c Counts
	err := onScene(ctx, func(s *scene) error {
		create, err := s.coldCreate(ctx, ours, s.far)
		c = Counts{
			PostgresConnections: postgresConnections(create.traffic), PostgresRoundTrips: postgresTrips(create.traffic),
			AWSConnections: awsConnections(create.traffic), AWSRoundTrips: awsTrips(create.traffic),
		}
		return err
	})
	return c, err
}
