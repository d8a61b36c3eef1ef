import io.debezium.engine.ChangeEvent;
import io.debezium.engine.DebeziumEngine;
import io.debezium.engine.format.Json;
import io.smallrye.config.PropertiesConfigSource;
import io.smallrye.config.SmallRyeConfig;
import io.smallrye.config.SmallRyeConfigBuilder;
import java.nio.file.Path;
import java.util.Properties;

/**
 * Reads the configuration of Debezium Server with the library that Debezium Server reads it with, runs its source in
 * Debezium's engine, and prints each change. It ends with the first change whose text contains the second argument.
 */
public class Consume {
    private static final String SOURCE = "debezium.source.";

    public static void main(String[] args) throws Exception {
        SmallRyeConfig config = new SmallRyeConfigBuilder()
                .addDefaultSources()
                .addDefaultInterceptors()
                .withSources(new PropertiesConfigSource(Path.of(args[0]).toUri().toURL(), 250))
                .build();
        Properties source = new Properties();
        for (String name : config.getPropertyNames()) {
            if (name.startsWith(SOURCE)) {
                source.setProperty(name.substring(SOURCE.length()), config.getValue(name, String.class));
            }
        }
        source.setProperty("name", "consumer");
        final DebeziumEngine<?>[] engine = new DebeziumEngine<?>[1];
        final boolean[] failed = {false};
        engine[0] = DebeziumEngine.create(Json.class)
                .using(source)
                .using((boolean success, String message, Throwable error) -> {
                    failed[0] = !success;
                    if (!success) {
                        System.err.println(message);
                    }
                })
                .notifying((ChangeEvent<String, String> change) -> {
                    System.out.println(change.destination() + " " + change.value());
                    if (change.value() != null && change.value().contains(args[1])) {
                        new Thread(() -> {
                            try {
                                engine[0].close();
                            } catch (Exception e) {
                                System.err.println(e);
                            }
                        }).start();
                    }
                })
                .build();
        ((Runnable) engine[0]).run();
        System.exit(failed[0] ? 1 : 0);
    }
}
