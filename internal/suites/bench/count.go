package bench

import "context"

// Counts are the connections and the round trips of a cold create, with one round
// trip for each connection. Some of those to AWS are concurrent with those to
// Postgres.
type Counts struct {
	PostgresConnections, PostgresRoundTrips int
	AWSConnections, AWSRoundTrips           int
}

// CountColdCreate counts for one create by a new process, over a distance. It
// builds the functions of the repository that it runs in.
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
